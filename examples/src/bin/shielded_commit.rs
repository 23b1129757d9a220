//! An order with a step that must not be cut: once the card is being charged, neither a deadline nor
//! a customer who goes away leaves it half done.
//!
//! Three stories: a deadline passes while the card is charged; an e-mail outlives the code that
//! waited for it; a customer cancels before anything was charged.
//!
//! ```text
//! cargo run --bin shielded_commit -- --backend NAME
//! ```
//!
//! No backend is named here: `--backend` or `KUMI_BACKEND` chooses among those compiled in.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::cell::Cell;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use kumi::{BackendKind, CancelScope};

/// How long those wait who do not wait long.
const SHORT: Duration = Duration::from_millis(100);

/// How long it takes what takes long.
const LONG: Duration = SHORT.saturating_mul(5);

/// Runs three orders that are cut short in three ways.
#[derive(Debug, Parser)]
#[command(name = "shielded_commit", version)]
struct Args {
    /// The backend to run on; otherwise `KUMI_BACKEND` says, or there is only one.
    #[arg(long, value_name = "NAME")]
    backend: Option<BackendKind>,
}

fn main() -> ExitCode {
    match Args::parse().backend.map_or_else(BackendKind::choose, Ok) {
        Ok(backend) => {
            kumi::run_on(backend, stories());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("shielded_commit: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn stories() {
    deadline_during_the_commit().await;
    mail_that_outlives_its_awaiter().await;
    cancel_before_the_commit().await;
}

async fn deadline_during_the_commit() {
    println!("1. the deadline passes while the card is charged");
    let order = Order::new(Duration::ZERO);
    let ended = kumi::timeout(SHORT, order.place()).await;
    match ended {
        Ok(()) => println!("   the order is complete"),
        Err(elapsed) => println!("   the order ended early: {elapsed}"),
    }
    order.print();
}

async fn mail_that_outlives_its_awaiter() {
    println!("2. the e-mail outlives the one who waits for it");
    // A task of its own: whoever awaits it may be cut, it is not. Only the end of the whole program
    // cancels it; `uncancellable` makes that wait as well.
    let mut mail = kumi::shield(kumi::uncancellable(send_mail()));
    let page = async {
        // By reference, so that it can be awaited again.
        let sent = (&mut mail).await;
        println!("   never printed: {sent:?}");
    };
    if let Err(elapsed) = kumi::timeout(SHORT, page).await {
        println!("   the page is not shown: {elapsed}");
    }
    match mail.await {
        Ok(recipients) => println!("   sent to {recipients} all the same"),
        Err(error) => println!("   not sent: {error}"),
    }
}

async fn send_mail() -> usize {
    println!("   the e-mail is on its way");
    kumi::sleep(LONG).await;
    1
}

async fn cancel_before_the_commit() {
    println!("3. the customer cancels before the card is charged");
    let order = Order::new(LONG);
    let scope = CancelScope::new();
    let customer = scope.handle();
    let thinking = kumi::spawn(async move {
        kumi::sleep(SHORT).await;
        customer.cancel_with("the customer has changed their mind");
    });
    match scope.run(order.place()).await {
        Ok(()) => println!("   the order is complete"),
        Err(cancelled) => println!("   the order ended early: {cancelled}"),
    }
    order.print();
    // It has ended by now; dropping the handle instead would cancel it.
    thinking.detach();
}

/// An order, and how far it has come.
#[derive(Debug)]
struct Order {
    /// How long the bank takes to say that the card is good.
    bank: Duration,
    reserved: Cell<bool>,
    charged: Cell<bool>,
    packed: Cell<bool>,
}

impl Order {
    fn new(bank: Duration) -> Self {
        Self {
            bank,
            reserved: Cell::new(false),
            charged: Cell::new(false),
            packed: Cell::new(false),
        }
    }

    /// Reserves the goods, takes the money, packs.
    ///
    /// # Cancel safety
    ///
    /// When it is cancelled, either the card is charged and the goods stay reserved, or neither.
    async fn place(&self) {
        self.reserved.set(true);
        println!("   the goods are reserved");
        // Nothing is awaited between the reservation and this, so no cancel comes between.
        kumi::finally(self.pay_and_pack(), self.settle()).await;
    }

    async fn pay_and_pack(&self) {
        // May be cut: nothing has happened yet.
        kumi::sleep(self.bank).await;
        println!("   the bank agrees");
        // May not: a cancel waits until it has ended.
        kumi::uncancellable(self.charge()).await;
        // Plain code up to the next await still runs, with what the commit returned.
        println!("   the receipt is written");
        kumi::sleep(SHORT).await;
        println!("   the goods are packed");
        self.packed.set(true);
    }

    async fn charge(&self) {
        println!("   the card is being charged");
        kumi::sleep(LONG).await;
        if kumi::cancel_requested() {
            println!("   somebody wants this to end, and has to wait");
        }
        self.charged.set(true);
        println!("   the card is charged");
    }

    /// Runs however the order ends. It may wait itself, although the order was cancelled.
    async fn settle(&self) {
        if !self.charged.get() {
            kumi::sleep(SHORT).await;
            self.reserved.set(false);
            println!("   the goods are given back");
        }
    }

    fn print(&self) {
        let yes = |is: &Cell<bool>| if is.get() { "yes" } else { "no" };
        println!(
            "   reserved: {}, charged: {}, packed: {}",
            yes(&self.reserved),
            yes(&self.charged),
            yes(&self.packed)
        );
    }
}
