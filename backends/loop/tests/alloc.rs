//! What descriptors cost: one allocation for a registration, none for who waits.

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::Poll;

use allocation_counter::measure;
use kumi_core::runtime::{Direction, Done, Io, Registered, Runtime};
use kumi_loop::Loop;

const COUNT: u64 = 100;

/// What belongs to a run: the waker of main, and the like.
const RUN: u64 = 16;

fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    ours.set_nonblocking(true).expect("non-blocking");
    (ours, theirs)
}

#[test]
fn a_registration_allocates_once() {
    let lp = Loop::new().expect("the loop starts");
    let register = |streams: Vec<_>| {
        let streams = streams.into_iter();
        streams
            .map(|stream| lp.register(stream).expect("it registers"))
            .collect::<Vec<_>>()
    };
    let streams = || (0..COUNT).map(|_| pair().0).collect::<Vec<_>>();
    // The table grows once.
    drop(register(streams()));
    let fresh = streams();
    let mut kept = Vec::new();
    let allocated = measure(|| kept = register(fresh)).count_total;
    // And one for the vector.
    assert!(allocated <= COUNT + 1, "{allocated} for {COUNT}");
    drop(kept);
}

#[test]
fn waiting_and_waking_allocate_nothing() {
    let lp = Loop::new().expect("the loop starts");
    let (ours, mut theirs) = pair();
    let io = lp.register(ours).expect("it registers");
    let mut round = || {
        lp.block_on(async {
            for _ in 0..COUNT {
                let mut read = pin!(poll_fn(|cx| {
                    io.poll_io(cx, Direction::Read, |mut stream| {
                        stream.read(&mut [0; 8]).map(Done::drained)
                    })
                }));
                let waits = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx).is_pending()));
                assert!(waits.await);
                theirs.write_all(b"x").expect("room");
                assert_eq!(read.await.expect("a byte"), 1);
            }
        });
    };
    round();
    let allocated = measure(round).count_total;
    assert!(allocated <= RUN, "{allocated} for {COUNT} wakes");
}
