//! The arguments of the attributes: names of backends, and `seeds = N`.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, LitInt, Result, Token};

/// A backend by name: how it is written, the variant of `BackendKind`, and the helper macros.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
}

/// All backends, in the order in which tests are made.
pub(crate) const BACKENDS: [Backend; 4] = [
    Backend {
        name: "loop",
        kind: "Loop",
    },
    Backend {
        name: "tokio",
        kind: "Tokio",
    },
    Backend {
        name: "smol",
        kind: "Smol",
    },
    Backend {
        name: "sim",
        kind: "Sim",
    },
];

impl Backend {
    /// The variant of `BackendKind`.
    pub(crate) fn kind(self) -> Ident {
        Ident::new(self.kind, Span::call_site())
    }

    /// An identifier made of `prefix` and the name.
    pub(crate) fn ident(self, prefix: &str) -> Ident {
        Ident::new(&format!("{prefix}{}", self.name), Span::call_site())
    }
}

/// What stands in the parentheses of an attribute.
#[derive(Debug, Default)]
pub(crate) struct Args {
    pub(crate) backends: Vec<Backend>,
    pub(crate) seeds: Option<LitInt>,
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self::default();
        while !input.is_empty() {
            // `loop` is a keyword, hence any identifier.
            let word = input.call(Ident::parse_any)?;
            let text = word.to_string();
            if text == "seeds" {
                input.parse::<Token![=]>()?;
                let seeds: LitInt = input.parse()?;
                seeds.base10_parse::<u64>()?;
                args.seeds = Some(seeds);
            } else if let Some(backend) = BACKENDS.iter().find(|backend| backend.name == text) {
                if args.backends.iter().any(|other| other.name == text) {
                    return Err(Error::new(word.span(), format!("`{text}` is named twice")));
                }
                args.backends.push(*backend);
            } else {
                let text = format!(
                    "there is no backend or setting `{text}`: the backends are `loop`, `tokio`, \
                     `smol`, `sim`; a test may say `seeds = 100`"
                );
                return Err(Error::new(word.span(), text));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(args)
    }
}
