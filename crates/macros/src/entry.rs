//! `#[kumi::main]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result};

use crate::args::Args;

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let args: Args = syn::parse2(args)?;
    let function: ItemFn = syn::parse2(item)?;
    check(&function)?;
    if let Some(seeds) = args.seeds {
        return Err(Error::new(seeds.span(), "`seeds` is for `#[kumi::test]`"));
    }
    let (require, call) = match args.backends.as_slice() {
        [] => (quote!(), quote!(::kumi::run(__main()))),
        [backend] => {
            let (kind, require) = (backend.kind(), backend.ident("__require_"));
            let call = quote!(::kumi::run_on(::kumi::BackendKind::#kind, __main()));
            (quote!(::kumi::#require!();), call)
        }
        _ => {
            let text =
                "a program runs on one backend: name one, or none to let `KUMI_BACKEND` decide";
            return Err(Error::new(function.sig.span(), text));
        }
    };
    let (attrs, vis, body) = (&function.attrs, &function.vis, &function.block);
    let (name, output) = (&function.sig.ident, &function.sig.output);
    Ok(quote! {
        #(#attrs)*
        #vis fn #name() #output {
            #require
            async fn __main() #output #body
            #call
        }
    })
}

fn check(function: &ItemFn) -> Result<()> {
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        return Err(Error::new(
            sig.fn_token.span(),
            "`#[kumi::main]` is for an `async fn`",
        ));
    }
    if !sig.inputs.is_empty() {
        return Err(Error::new(sig.inputs.span(), "`main` takes no arguments"));
    }
    if !sig.generics.params.is_empty() {
        return Err(Error::new(sig.generics.span(), "`main` is not generic"));
    }
    Ok(())
}
