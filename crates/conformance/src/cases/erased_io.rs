//! Descriptors and sockets of a runtime whose type is erased.

use kumi_core::runtime::{AnyRuntime, Io};

use super::{io, net, net_options, net_udp, net_unix, readiness};

/// Registered descriptors.
pub async fn descriptors<R: Io>(rt: R) {
    let any = AnyRuntime::with_io(rt);
    io::reads_what_is_there(any.clone()).await;
    io::a_reader_is_woken(any.clone()).await;
    io::errors_are_handed_out(any.clone()).await;
    io::a_panic_of_the_operation(any.clone()).await;
    io::dropping_it_closes_the_descriptor(any.clone()).await;
    readiness::ready_wakes_all(any.clone()).await;
    readiness::try_io_tries_once(any.clone()).await;
    readiness::drained_means_nothing_more(any.clone()).await;
    readiness::the_end_after_a_drained_read(any).await;
}

/// TCP.
pub async fn tcp<R: Io>(rt: R) {
    let any = AnyRuntime::with_io(rt);
    net::echo(any.clone()).await;
    net::half_close(any.clone()).await;
    net::vectored(any.clone()).await;
    net::reads_and_writes_at_once(any.clone()).await;
    net::look_up(any.clone()).await;
    net::everything_is_send(any.clone()).await;
    net_options::settings_of_a_connection(any.clone()).await;
    net_options::back_to_the_standard_library(any.clone()).await;
    net_options::many_accept(any.clone()).await;
    net_options::halves(any.clone()).await;
    net_options::incoming(any).await;
}

/// UDP.
pub async fn udp<R: Io>(rt: R) {
    let any = AnyRuntime::with_io(rt);
    net_udp::echo(any.clone()).await;
    net_udp::one_peer(any.clone()).await;
    net_udp::by_polling(any.clone()).await;
    net_udp::many_receive(any.clone()).await;
    net_udp::operations_of_ones_own(any.clone()).await;
    net_udp::of_the_standard_library(any).await;
}

/// Unix sockets.
pub async fn unix<R: Io>(rt: R) {
    let any = AnyRuntime::with_io(rt);
    net_unix::echo(any.clone()).await;
    net_unix::a_pair(any.clone()).await;
    net_unix::abstract_names(any.clone()).await;
    net_unix::datagrams(any.clone()).await;
    net_unix::datagrams_wait_for_room(any).await;
}
