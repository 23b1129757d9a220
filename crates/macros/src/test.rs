//! `#[kumi::test]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result};

use crate::args::{Args, BACKENDS};

/// How many random schedules a test runs under, if it does not say.
const SEEDS: u64 = 16;

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let args: Args = syn::parse2(args)?;
    let mut function: ItemFn = syn::parse2(item)?;
    check(&function)?;
    let backends = match args.backends.is_empty() {
        true => BACKENDS.to_vec(),
        false => args.backends,
    };
    let seeds = args
        .seeds
        .map_or_else(|| quote!(#SEEDS), |seeds| quote!(#seeds));
    // Attributes such as `#[should_panic]` belong to each of the tests.
    let (outer, attrs): (Vec<_>, Vec<_>) = std::mem::take(&mut function.attrs)
        .into_iter()
        .partition(|attr| attr.path().is_ident("doc") || attr.path().is_ident("allow"));
    let name = &function.sig.ident;
    let tests = backends.iter().map(|backend| {
        let (keep, test) = (backend.ident("__if_"), backend.ident("on_"));
        let kind = backend.kind();
        quote! {
            ::kumi::#keep! {
                #[::core::prelude::v1::test]
                #(#attrs)*
                fn #test() {
                    ::kumi::testing::test(::kumi::BackendKind::#kind, #seeds, super::#name);
                }
            }
        }
    });
    Ok(quote! {
        #(#outer)*
        #[cfg(test)]
        #function

        #[cfg(test)]
        mod #name {
            #(#tests)*
        }
    })
}

fn check(function: &ItemFn) -> Result<()> {
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        return Err(Error::new(
            sig.fn_token.span(),
            "`#[kumi::test]` is for an `async fn`",
        ));
    }
    if !sig.inputs.is_empty() {
        return Err(Error::new(sig.inputs.span(), "a test takes no arguments"));
    }
    if !sig.generics.params.is_empty() {
        return Err(Error::new(sig.generics.span(), "a test is not generic"));
    }
    Ok(())
}
