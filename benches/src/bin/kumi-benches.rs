//! Compares the backends of Kumi with the native API of the same runtime; see `README.md`.
#![forbid(unsafe_code)]

fn main() -> std::io::Result<()> {
    kumi_benches::main()
}
