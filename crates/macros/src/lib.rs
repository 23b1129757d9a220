//! The attributes of Kumi: `#[kumi::main]` and `#[kumi::test]`.
//!
//! Use them through the crate `kumi`; what they expand to names it.
#![forbid(unsafe_code)]

mod args;
mod entry;
mod test;

use proc_macro::TokenStream;

/// Makes an `async fn main` the program: runs it on a backend, then leaves nothing behind.
///
/// `#[kumi::main]` takes the backend that is compiled in, or the one that the environment variable
/// `KUMI_BACKEND` names; `#[kumi::main(tokio)]` takes tokio (`loop`, `smol` and `sim` likewise), and
/// does not compile if it is not there. What happens at the end, and on Ctrl-C, is that of `kumi::run`.
///
/// The function may return whatever `fn main` may.
///
/// # Examples
///
/// ```ignore
/// #[kumi::main(loop)]
/// async fn main() -> std::io::Result<()> {
///     kumi::spawn(async { println!("hello") }).await?;
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(args.into(), item.into())
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes an `async fn` a test that runs on every backend that is compiled in.
///
/// For a function `name` there is one test per backend: `name::on_loop`, `name::on_tokio`,
/// `name::on_smol`, `name::on_sim`. On the simulator it runs first in the order of waking and then
/// under 16 random schedules; `#[kumi::test(seeds = 1000)]` changes that, and a failing seed is
/// printed. `#[kumi::test(loop, tokio)]` restricts the backends: for tests that need sockets, which
/// the simulator lacks.
///
/// The function returns nothing or a `Result<(), E>`. Tasks that it leaves behind are cancelled and
/// waited for.
///
/// # Examples
///
/// ```ignore
/// #[kumi::test]
/// async fn a_task_gives_its_value() {
///     assert_eq!(kumi::spawn(async { 42 }).await.unwrap(), 42);
/// }
/// ```
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    test::expand(args.into(), item.into())
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
