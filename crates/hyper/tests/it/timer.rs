//! Time limits of hyper on the clock of the runtime.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hyper::rt::{Sleep, Timer};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use kumi_core::net::TcpStream;
use kumi_core::runtime::Io;
use kumi_core::task::SpawnExt;
use kumi_hyper::{HyperIo, HyperTimer};

use crate::util::{echo, listen};

const SHORT: Duration = Duration::from_millis(30);

pub(crate) async fn a_client_that_says_nothing_is_cut_off<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let runtime = rt.clone();
    let serving = rt.spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        http1::Builder::new()
            .timer(HyperTimer::new(runtime))
            .header_read_timeout(SHORT)
            .serve_connection(HyperIo::new(stream), service_fn(echo))
            .await
    });
    let start = rt.now();
    let mut raw = TcpStream::connect(&rt, addr).await.expect("a connection");
    raw.write_all(b"GET / HTTP/1.1\r\nhost: slow")
        .await
        .expect("room");
    let error = serving
        .await
        .expect("no panic")
        .expect_err("the head never ends");
    assert!(error.is_timeout(), "{error:?}");
    assert!(rt.now() - start >= SHORT);
    let mut rest = Vec::new();
    // Cut off: the end of the stream, or a reset because of what the server did not read.
    let _ = raw.read_to_end(&mut rest).await;
}

pub(crate) async fn a_sleep_takes_its_time<R: Io>(rt: R) {
    let timer = HyperTimer::new(rt);
    let start = timer.now();
    timer.sleep(SHORT).await;
    assert!(timer.now() - start >= SHORT);
}

/// Where the sleep lies in memory.
fn place(sleep: &Pin<Box<dyn Sleep>>) -> *const () {
    std::ptr::from_ref(sleep.as_ref().get_ref()).cast()
}

pub(crate) async fn a_deadline_moves_in_place<R: Io>(rt: R) {
    let timer = HyperTimer::new(rt.clone());
    let start = timer.now();
    let mut sleep = timer.sleep_until(start + Duration::from_secs(3600));
    // Polled once, so that the timer is armed, and has to be found again.
    futures_lite::future::poll_once(sleep.as_mut()).await;
    let before = place(&sleep);
    timer.reset(&mut sleep, start + SHORT);
    assert_eq!(place(&sleep), before, "the sleep was made anew");
    sleep.as_mut().await;
    assert!(timer.now() >= start + SHORT);
    // It can be used again after it was ready.
    timer.reset(&mut sleep, start + 2 * SHORT);
    assert_eq!(place(&sleep), before, "the sleep was made anew");
    sleep.await;
    assert!(timer.now() >= start + 2 * SHORT);
}

/// A sleep that is never due.
struct Never;

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Sleep for Never {}

pub(crate) async fn a_sleep_of_another_timer_is_replaced<R: Io>(rt: R) {
    let timer = HyperTimer::new(rt);
    let mut sleep: Pin<Box<dyn Sleep>> = Box::pin(Never);
    let due: Instant = timer.now() + SHORT;
    timer.reset(&mut sleep, due);
    sleep.await;
    assert!(timer.now() >= due);
}
