//! A client and a server in one process, with a timer, a blocking closure and a signal.
//!
//! For a while the client connects, sends a line and waits for the same line. Whatever goes wrong is
//! counted ([`Facts`]), and the program goes on, as careless as a program can be. At the
//! end it waits until a conversation succeeds, and closes everything.
//!
//! What it says:
//!
//! | fact | |
//! |---|---|
//! | `start E` | the runtime could not be made, and why; the program ends |
//! | `began N`, `ended N` | open descriptors before the listener was made, and when all is closed |
//! | `talks N OK` | how many conversations there were, and how many succeeded |
//! | `error OP E N` | how often an operation failed, and with what; `stall` is a conversation over its limit |
//! | `last ok`, `last failed` | whether a conversation succeeded in the end |
//! | `timer ok` | or `early`, `late`: a sleep beside all of that |
//! | `closure ok` | or `late`: what became of a closure on a thread that may block |
//! | `signal ok` | Ctrl-C ended a run |

use std::future::pending;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use kumi::net::{self, ConnectOptions, TcpListener, TcpStream};
use kumi::{Backend, GroupError, Runner};
use rustix::process::{self, getpid, kill_process};

use crate::facts::Facts;
use crate::gauge::descriptors;
use crate::run_on;

/// How long a conversation may take.
const LIMIT: Duration = Duration::from_secs(1);

/// How many conversations there are at least, however slow the machine is.
const TALKS: usize = 3;

/// Between two conversations.
const PAUSE: Duration = Duration::from_millis(40);

/// How long the last one is waited for.
const LAST: Duration = Duration::from_secs(3);

/// The sleep that is measured.
const SLEEP: Duration = Duration::from_millis(30);

/// How large a message is that does not fit into the kernel's buffers.
const LARGE: usize = 1 << 20;

/// How the program behaves.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// For how long there are conversations.
    pub window: Duration,
    /// The fault stays until the end: nothing is waited for.
    pub persists: bool,
    /// What becomes of Ctrl-C.
    pub signal: Signal,
    /// How a message is sent.
    pub message: Message,
    /// A fault of the program itself.
    pub sabotage: Option<Sabotage>,
}

/// What becomes of Ctrl-C.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Signal {
    /// A second run is ended by it.
    Tried,
    /// The run would heed it.
    Heeded,
    /// Nobody heeds it.
    Off,
}

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Message {
    /// A short line at once.
    Line,
    /// A short line byte by byte: reads are short.
    Pieces,
    /// A short line in two parts by one call.
    Parts,
    /// A megabyte through small buffers: writes are short.
    Large,
}

/// Faults of the program itself, by which one sees that the checks find something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// Keeps a descriptor.
    Leak,
    /// Yields again and again.
    Spin,
    /// Says nothing of errors.
    Silent,
    /// Panics in a task.
    Panic,
    /// Never ends.
    Hang,
}

/// Runs the program on a runtime.
pub fn run(runtime: &Backend, plan: Plan, facts: &Arc<Facts>) {
    let heeds = plan.signal != Signal::Off;
    let runner = Runner::new().ctrl_c(heeds);
    let ran = run_on(runtime, runner, Box::pin(converse(plan, Arc::clone(facts))));
    if ran.is_err() {
        facts.say("interrupted", "early");
    }
    if plan.signal == Signal::Tried {
        let stays = async {
            kumi::spawn(async {
                kumi::sleep(Duration::from_millis(1)).await;
                kill_process(getpid(), process::Signal::INT).expect("it is this process");
            })
            .detach();
            kumi::sleep(LAST).await;
        };
        let ended = run_on(runtime, Runner::new(), Box::pin(stays));
        facts.say("signal", if ended.is_err() { "ok" } else { "lost" });
    }
}

async fn converse(plan: Plan, facts: Arc<Facts>) {
    // smol opens its own descriptors when they are first needed.
    kumi::sleep(Duration::from_millis(1)).await;
    let began = descriptors();
    facts.say("began", began);
    if plan.sabotage == Some(Sabotage::Hang) {
        pending::<()>().await;
    }
    if plan.sabotage == Some(Sabotage::Panic) {
        kumi::spawn(async { panic!("on purpose") }).detach();
    }
    let timer = kumi::spawn(sleep());
    // It ends while the runtime sleeps, so that this has to be woken by the other thread.
    let closure = kumi::to_thread(|| {
        thread::sleep(Duration::from_millis(10));
        42
    });
    let end = Instant::now() + plan.window;
    let (mut talks, mut well, mut last) = (0, 0, false);
    let goes_on = |talks: usize, last: bool| {
        let now = Instant::now();
        let waits = !last && !plan.persists && now < end + LAST;
        now < end || waits || talks < TALKS
    };
    while goes_on(talks, last) {
        let listener = match net::listen((Ipv4Addr::LOCALHOST, 0)).await {
            Ok(listener) => listener,
            Err(error) => {
                facts.error("listen", &error);
                talks += 1;
                kumi::sleep(PAUSE).await;
                continue;
            }
        };
        let ended: Result<(), GroupError<()>> = kumi::task_group(async |group| {
            let addr = listener.local_addr().expect("it is bound");
            group.spawn_background(serve(listener, Arc::clone(&facts)));
            if plan.sabotage == Some(Sabotage::Spin) {
                group.spawn_background(spin());
            }
            while goes_on(talks, last) {
                talks += 1;
                let talk = kumi::timeout(LIMIT, talk(addr, plan, &facts));
                last = talk.await.unwrap_or_else(|_| {
                    facts.error("stall", &io::ErrorKind::TimedOut.into());
                    false
                });
                well += usize::from(last);
                kumi::sleep(PAUSE).await;
            }
            Ok(())
        })
        .await;
        ended.expect("no child fails");
    }
    if plan.sabotage != Some(Sabotage::Silent) {
        facts.say_errors();
    }
    facts.say("talks", format_args!("{talks} {well}"));
    facts.say("last", if last { "ok" } else { "failed" });
    facts.say("timer", timer.await.unwrap_or("panicked"));
    let wait = if plan.persists { SLEEP } else { LAST };
    let value = kumi::timeout(wait, closure).await;
    let value = match value {
        Ok(Ok(42)) => "ok".to_owned(),
        Ok(other) => format!("{other:?}").replace(' ', "_"),
        Err(_) => "late".into(),
    };
    facts.say("closure", value);
    if plan.sabotage == Some(Sabotage::Leak) {
        std::mem::forget(std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
    }
    // Closures, and tasks that close a connection, may still be on their way.
    let since = Instant::now();
    while descriptors() != began && since.elapsed() < Duration::from_secs(1) {
        kumi::sleep(Duration::from_millis(1)).await;
    }
    facts.say("ended", descriptors());
}

async fn spin() -> Result<(), ()> {
    loop {
        kumi::yield_now().await;
    }
}

async fn sleep() -> &'static str {
    let began = Instant::now();
    kumi::sleep(SLEEP).await;
    match began.elapsed() {
        took if took < SLEEP => "early",
        took if took > SLEEP + Duration::from_secs(1) => "late",
        _ => "ok",
    }
}

/// Accepts and goes on, whatever happens.
async fn serve(listener: TcpListener, facts: Arc<Facts>) -> Result<(), ()> {
    let ended: Result<(), GroupError<()>> = kumi::task_group(async |group| {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(group.spawn(answer(stream, Arc::clone(&facts)))),
                Err(error) => facts.error("accept", &error),
            }
        }
    })
    .await;
    ended.map_err(drop)
}

/// Sends back what comes, until the client has sent all.
async fn answer(mut stream: TcpStream, facts: Arc<Facts>) -> Result<(), ()> {
    let mut buf = vec![0; 64 << 10];
    loop {
        match stream.read(&mut buf).await {
            Ok(0) => return Ok(()),
            Ok(read) => {
                if let Err(error) = stream.write_all(&buf[..read]).await {
                    facts.error("answer", &error);
                    return Ok(());
                }
            }
            Err(error) => {
                facts.error("hear", &error);
                return Ok(());
            }
        }
    }
}

/// One conversation; false if something went wrong, which is counted.
async fn talk(addr: SocketAddr, plan: Plan, facts: &Facts) -> bool {
    let stream = match connect(addr, plan.message).await {
        Ok(stream) => stream,
        Err(error) => {
            facts.error("connect", &error);
            return false;
        }
    };
    let message = match plan.message {
        Message::Large => (0..LARGE).map(|n| (n % 251) as u8).collect(),
        _ => b"a line of text\n".to_vec(),
    };
    let mut back = vec![0; message.len()];
    let (mut reader, mut writer) = stream.into_split();
    let send = async {
        let sent = send(&mut writer, &message, plan.message).await;
        sent.map_err(|error| facts.error("write", &error))
    };
    let read = async {
        let read = reader.read_exact(&mut back).await;
        read.map_err(|error| facts.error("read", &error))
    };
    let done = future::try_zip(send, read).await;
    done.is_ok() && back == message
}

async fn connect(addr: SocketAddr, message: Message) -> io::Result<TcpStream> {
    match message {
        Message::Large => {
            let options = ConnectOptions::new().send_buffer_size(8192);
            net::connect_with(&options, addr).await
        }
        _ => net::connect(addr).await,
    }
}

async fn send(
    writer: &mut (impl futures_lite::AsyncWrite + Unpin),
    message: &[u8],
    how: Message,
) -> io::Result<()> {
    match how {
        Message::Line | Message::Large => writer.write_all(message).await?,
        Message::Parts => {
            let (one, two) = message.split_at(5);
            let parts = [IoSlice::new(one), IoSlice::new(two)];
            let sent = writer.write_vectored(&parts).await?;
            writer.write_all(&message[sent..]).await?;
        }
        Message::Pieces => {
            for byte in message {
                writer.write_all(&[*byte]).await?;
                kumi::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    Ok(())
}
