//! Both flavours of tokio keep the contract.

use kumi_tokio::Tokio;

mod current_thread {
    use super::*;

    kumi_conformance::suite!(mod contract, || Tokio::current_thread().expect("tokio starts"));
    kumi_conformance::local_suite!(mod local, || Tokio::current_thread().expect("tokio starts"));
    kumi_conformance::io_suite!(mod io, || Tokio::current_thread().expect("tokio starts"));
    kumi_conformance::combinator_suite!(mod combinators, || {
        Tokio::current_thread().expect("tokio starts")
    });
    kumi_conformance::everywhere_suite!(mod everywhere, || {
        Tokio::current_thread().expect("tokio starts")
    });
}

mod two_workers {
    use super::*;

    kumi_conformance::suite!(mod contract, || Tokio::workers(2).expect("tokio starts"));
    kumi_conformance::local_suite!(mod local, || Tokio::workers(2).expect("tokio starts"));
    kumi_conformance::io_suite!(mod io, || Tokio::workers(2).expect("tokio starts"));
    kumi_conformance::combinator_suite!(mod combinators, || {
        Tokio::workers(2).expect("tokio starts")
    });
    kumi_conformance::everywhere_suite!(mod everywhere, || {
        Tokio::workers(2).expect("tokio starts")
    });
}
