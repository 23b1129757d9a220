//! The loop as a guest of a window's: the thread belongs to the window, and Kumi gets it for a turn at a time.
//!
//! A real window would come from a GUI library. This one has what they all have: a queue of events, one
//! thread that takes them out and may touch the screen, and a wait of its own in between, here that of
//! `std::sync::mpsc`. [`Guest`] puts an event into the queue when Kumi's loop needs a turn, so no turn is run
//! for nothing, and the window sleeps when there is nothing to do.
//!
//! The user presses *load*: three things are waited for at once, a timer, a socket and a closure on another
//! thread. Then *download*, which would never end. Then the window is closed: the download is cancelled,
//! cleans up, while the window still draws, and only when all tasks have ended is it gone.
//!
//! ```text
//! cargo run --bin window
//! ```
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use futures_lite::{AsyncBufReadExt, AsyncWriteExt, StreamExt};
use kumi::channel::{self, Receiver};
use kumi::core::runtime::Runtime;
use kumi::core::task::SpawnExt;
use kumi::{CancelScope, GroupError};
use kumi_loop::{Guest, Loop};

/// What a window has in its queue.
#[derive(Debug)]
enum Event {
    /// The user has pressed a button.
    Click(Button),
    /// Something new is to be seen.
    Draw(String),
    /// The user wants no more.
    Close,
    /// Kumi's loop wants a turn.
    Turn,
    /// All of Kumi's tasks have ended.
    Ended,
}

#[derive(Debug, Clone, Copy)]
enum Button {
    Load,
    Download,
}

fn main() -> io::Result<()> {
    let server = serve()?;
    let (queue, events) = mpsc::channel();
    let lp = Loop::new()?;

    // The tasks: one scope, so that one call cancels them all.
    let (clicks, clicked) = channel::bounded(8);
    let scope = CancelScope::new();
    let close = scope.handle();
    let window = queue.clone();
    lp.spawn(async move {
        let ended = scope.run(tasks(clicked, server, window.clone())).await;
        if let Err(cancelled) = ended {
            send(&window, Event::Draw(format!("all tasks: {cancelled}")));
        }
        send(&window, Event::Ended);
    })
    .detach();

    // The guest: the first turn is due at once.
    let wake = queue.clone();
    let mut guest = Guest::new(lp.handle(), move || {
        // When the window is gone, nobody needs a turn.
        let _ = wake.send(Event::Turn);
    })?;

    // The window's own loop.
    let mut turns = 0;
    send(&queue, Event::Click(Button::Load));
    for event in &events {
        match event {
            Event::Turn => {
                turns += 1;
                guest.turn();
            }
            Event::Click(button) => {
                println!("{button:?} is pressed");
                clicks.try_send(button).expect("few clicks");
            }
            Event::Draw(text) => {
                println!("| {text}");
                if let Some(event) = user(&text) {
                    send(&queue, event);
                }
            }
            Event::Close => {
                println!("the window is to be closed");
                close.cancel_with("the window is closed");
            }
            Event::Ended => break,
        }
    }
    println!("closed after {turns} turns");
    // A window that is called for nothing would burn its processor.
    assert!(turns < 200, "{turns} turns");

    // The loop is as it was, and may be driven in the ordinary way.
    drop(guest);
    println!("afterwards: {}", lp.block_on(async { 6 * 7 }));
    Ok(())
}

/// What the user does who sees this.
fn user(text: &str) -> Option<Event> {
    match text {
        _ if text.starts_with("loaded") => Some(Event::Click(Button::Download)),
        "downloaded: 3" => Some(Event::Close),
        _ => None,
    }
}

fn send(queue: &Sender<Event>, event: Event) {
    // It fails when the window is gone; then nobody wants to see anything.
    let _ = queue.send(event);
}

/// Starts a task for each click.
///
/// # Cancel safety
///
/// If it is cancelled, so are the tasks, and it waits for them.
async fn tasks(clicks: Receiver<Button>, server: SocketAddr, window: Sender<Event>) {
    let ended: Result<(), GroupError<io::Error>> = kumi::task_group(async |group| {
        while let Ok(button) = clicks.recv().await {
            match button {
                Button::Load => drop(group.spawn(load(server, window.clone()))),
                Button::Download => drop(group.spawn(download(server, window.clone()))),
            }
        }
        Ok(())
    })
    .await;
    if let Err(error) = ended {
        send(&window, Event::Draw(format!("it went wrong: {error}")));
    }
}

/// Waits for three things at once.
///
/// # Cancel safety
///
/// If it is cancelled, all three are; a closure that runs goes on, and its sum is lost.
async fn load(server: SocketAddr, window: Sender<Event>) -> io::Result<()> {
    let timer = async {
        kumi::sleep(Duration::from_millis(20)).await;
        "20 ms"
    };
    let socket = async {
        let mut stream = kumi::net::connect(server).await?;
        stream.write_all(b"hello\n").await?;
        let mut lines = futures_lite::io::BufReader::new(stream).lines();
        lines.next().await.transpose()
    };
    let closure = kumi::to_thread(|| (1..=1000).sum::<u32>());
    let (time, hello, sum) = kumi::gather((timer, socket, closure)).await;
    let hello = hello?.unwrap_or_default();
    let sum = sum.map_err(io::Error::other)?;
    send(
        &window,
        Event::Draw(format!("loaded: {time}, {hello}, {sum}")),
    );
    Ok(())
}

/// Downloads for ever.
///
/// # Cancel safety
///
/// If it is cancelled, it says so, and that takes its time.
async fn download(server: SocketAddr, window: Sender<Event>) -> io::Result<()> {
    let clean_up = window.clone();
    let parts = async {
        let mut stream = kumi::net::connect(server).await?;
        stream.write_all(b"download\n").await?;
        let mut lines = futures_lite::io::BufReader::new(stream).lines();
        while let Some(part) = lines.next().await.transpose()? {
            send(&window, Event::Draw(format!("downloaded: {part}")));
        }
        Ok(())
    };
    kumi::finally(parts, async {
        send(&clean_up, Event::Draw("the download is put aside".into()));
        kumi::sleep(Duration::from_millis(10)).await;
        send(&clean_up, Event::Draw("and its file is gone".into()));
    })
    .await
}

/// A server on threads: says hello, or sends three parts and then nothing, for ever.
fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    Ok(addr)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    match lines.next().transpose()?.as_deref() {
        Some("hello") => stream.write_all(b"hello to you\n"),
        _ => {
            for part in 1..=3 {
                thread::sleep(Duration::from_millis(5));
                writeln!(stream, "{part}")?;
            }
            // Until the client goes.
            lines.next().transpose()?;
            Ok(())
        }
    }
}
