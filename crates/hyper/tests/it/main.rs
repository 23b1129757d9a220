//! hyper over real sockets, on every backend that has them.
//!
//! Each case is a function of a runtime; [`on_every_backend`] makes a test per case and backend.
#![cfg(unix)]

mod http1;
mod http2;
mod memory;
mod timer;
mod util;

/// Runs each case on each backend, and gives it half a minute.
macro_rules! on_every_backend {
    ($($module:ident :: $case:ident),* $(,)?) => {
        on_every_backend!(@on event_loop: kumi_loop::Loop::new(); $($module::$case),*);
        on_every_backend!(@on smol: Ok::<_, std::io::Error>(kumi_smol::Smol::current_thread()); $($module::$case),*);
        on_every_backend!(@on smol_threads: kumi_smol::Smol::threads(2); $($module::$case),*);
        on_every_backend!(@on tokio: kumi_tokio::Tokio::current_thread(); $($module::$case),*);
        on_every_backend!(@on tokio_workers: kumi_tokio::Tokio::workers(2); $($module::$case),*);
    };
    (@on $backend:ident: $make:expr; $($module:ident :: $case:ident),*) => {
        mod $backend {
            $(
                #[test]
                fn $case() {
                    let runtime = $make.expect("a runtime");
                    super::util::run(&*runtime, super::$module::$case(runtime.handle()));
                }
            )*
        }
    };
}

on_every_backend! {
    http1::a_mebibyte_comes_back_twice_over_one_connection,
    http1::many_connections_at_once,
    http1::a_connection_that_is_not_kept_ends_with_the_end_of_the_stream,
    http1::unix_sockets_do_as_well,
    http1::a_vectored_write_takes_every_slice,
    http1::a_stream_of_futures_io_does_as_well,
    http1::an_upgrade_gives_the_socket_back,
    http2::many_requests_share_one_connection,
    http2::a_service_that_is_not_send_runs_on_its_thread,
    timer::a_client_that_says_nothing_is_cut_off,
    timer::a_sleep_takes_its_time,
    timer::a_deadline_moves_in_place,
    timer::a_sleep_of_another_timer_is_replaced,
}
