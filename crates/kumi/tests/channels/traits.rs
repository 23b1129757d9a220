//! Which ends and futures may go to other threads, and be shared between them. (All may be moved between
//! polls.)

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

use kumi::channel::{
    LifoQueue, Permit, PriorityQueue, Queue, Receiver, Recv, RecvMany, Reserve, SendError,
    SendFuture, SendSink, Sender, WeakReceiver, WeakSender, Work, broadcast, local, oneshot, watch,
};

/// Tells whether a type has a trait: the method of the type itself is taken where its bound holds, and else
/// that of the trait.
struct Is<T: ?Sized>(PhantomData<T>);

macro_rules! tells {
    ($method:ident, $fallback:ident, $($bound:tt)+) => {
        impl<T: ?Sized + $($bound)+> Is<T> {
            #[allow(dead_code, reason = "nobody has it")]
            const fn $method(&self) -> bool {
                true
            }
        }

        trait $fallback {
            fn $method(&self) -> bool {
                false
            }
        }

        impl<T: ?Sized> $fallback for &Is<T> {}
    };
}

tells!(is_send, MayBeSend, Send);
tells!(is_sync, MayBeSync, Sync);

const fn is_unpin<T: Unpin>() {}

/// A row: for values that are `Send + Sync`, `Send` only, and neither.
macro_rules! row {
    ($($type:ident)::+ $(<$lifetime:lifetime>)?: $both:literal, $send:literal, $neither:literal) => {
        row!(@ $($type)::+<$($lifetime,)? u8>, $both);
        row!(@ $($type)::+<$($lifetime,)? Cell<u8>>, $send);
        row!(@ $($type)::+<$($lifetime,)? Rc<u8>>, $neither);
    };
    (@ $type:ty, $expected:literal) => {
        let is = &Is::<$type>(PhantomData);
        let mut has = String::new();
        if is.is_send() {
            has += "Send ";
        }
        if is.is_sync() {
            has += "Sync ";
        }
        is_unpin::<$type>();
        assert_eq!(has.trim_end(), $expected, "{}", stringify!($type));
    };
}

#[test]
fn the_table() {
    // Values that are `Send` go through from thread to thread, and are never shared by the channel.
    row!(Sender: "Send Sync", "Send Sync", "");
    row!(Receiver: "Send Sync", "Send Sync", "");
    row!(WeakSender: "Send Sync", "Send Sync", "");
    row!(WeakReceiver: "Send Sync", "Send Sync", "");
    row!(SendFuture<'static>: "Send Sync", "Send", "");
    row!(Recv<'static>: "Send Sync", "Send Sync", "");
    row!(RecvMany<'static>: "Send Sync", "Send", "");
    row!(Reserve<'static>: "Send Sync", "Send Sync", "");
    row!(Permit<'static>: "Send Sync", "Send Sync", "");
    row!(SendSink: "Send Sync", "Send Sync", "");
    row!(Queue: "Send Sync", "Send Sync", "");
    row!(LifoQueue: "Send Sync", "Send Sync", "");
    row!(Work: "Send Sync", "Send", "");
    row!(SendError: "Send Sync", "Send", "");
    row!(local::Sender: "", "", "");
    row!(local::Receiver: "", "", "");
    row!(oneshot::Sender: "Send Sync", "Send Sync", "");
    row!(oneshot::Receiver: "Send Sync", "Send Sync", "");
    // These share a value between those who look at it.
    row!(watch::Sender: "Send Sync", "", "");
    row!(watch::Receiver: "Send Sync", "", "");
    row!(watch::Ref: "Send Sync", "", "");
    row!(watch::Changed<'static>: "Send Sync", "", "");
    row!(broadcast::Sender: "Send Sync", "", "");
    row!(broadcast::Receiver: "Send Sync", "", "");
    row!(broadcast::Recv<'static>: "Send Sync", "", "");
    row!(PriorityQueue: "Send Sync", "Send Sync", "");
}
