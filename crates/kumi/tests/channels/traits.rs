//! Which ends and futures may go to other threads, and be shared between them. (All may be moved between
//! polls.)

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

use kumi::channel::{
    GetError, LifoQueue, Permit, PriorityQueue, PutError, Queue, Receiver, Recv, RecvError,
    RecvMany, Reserve, SendError, SendFuture, SendSink, Sender, ShutDown, TryRecvError,
    TrySendError, WeakReceiver, WeakSender, Work, broadcast, local, oneshot, watch,
};

use super::is::{Is, MayBeSend, MayBeSync, is_unpin};

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
    row!(TrySendError: "Send Sync", "Send", "");
    row!(PutError: "Send Sync", "Send", "");
    row!(ShutDown: "Send Sync", "Send", "");
    row!(no value, RecvError: "Send Sync");
    row!(no value, TryRecvError: "Send Sync");
    row!(no value, GetError: "Send Sync");
    row!(no value, broadcast::RecvError: "Send Sync");
    row!(no value, broadcast::TryRecvError: "Send Sync");
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
