//! Executors of smol's, with threads of their own and without, keep the contract.

use kumi_smol::Smol;

mod current_thread {
    use super::*;

    kumi_conformance::suite!(mod contract, || Smol::current_thread());
    kumi_conformance::local_suite!(mod local, || Smol::current_thread());
    kumi_conformance::io_suite!(mod io, || Smol::current_thread());
}

mod one_thread {
    use super::*;

    kumi_conformance::suite!(mod contract, || Smol::threads(1).expect("smol starts"));
    kumi_conformance::local_suite!(mod local, || Smol::threads(1).expect("smol starts"));
    kumi_conformance::io_suite!(mod io, || Smol::threads(1).expect("smol starts"));
}

mod two_threads {
    use super::*;

    kumi_conformance::suite!(mod contract, || Smol::threads(2).expect("smol starts"));
    kumi_conformance::local_suite!(mod local, || Smol::threads(2).expect("smol starts"));
    kumi_conformance::io_suite!(mod io, || Smol::threads(2).expect("smol starts"));
}
