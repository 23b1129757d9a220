//! A server that ends well on Ctrl-C: it stops accepting, lets the uploads that are under way finish,
//! cuts those that are too slow, writes its log, and names what would not end.
//!
//! It drives itself: a thread plays the clients, outside of any runtime, and presses Ctrl-C when two
//! uploads are under way. One of them goes on afterwards, the other never does.
//!
//! ```text
//! cargo run --bin graceful_shutdown -- --backend NAME
//! ```
//!
//! No backend is named here: `--backend` or `KUMI_BACKEND` chooses among those compiled in.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as Client};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clap::Parser;
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufReadExt, AsyncWriteExt, future};
use kumi::net::{TcpListener, TcpStream};
use kumi::report::{self, Report};
use kumi::{BackendKind, ExitStack, GroupError, Runner};
use rustix::process::{Signal, getpid, kill_process};

/// How long an upload may go on after Ctrl-C.
const UPLOAD_GRACE: Duration = Duration::from_millis(500);

/// How long the whole program may take to end: the uploads, and what else there is.
const GRACE: Duration = UPLOAD_GRACE.saturating_mul(4);

/// Serves two uploads, and ends on Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "graceful_shutdown", version)]
struct Args {
    /// The backend to run on; otherwise `KUMI_BACKEND` says, or there is only one.
    #[arg(long, value_name = "NAME")]
    backend: Option<BackendKind>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("graceful_shutdown: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let backend = args.backend.map_or_else(BackendKind::choose, Ok)?;
    let runtime = backend.build()?;
    report::set_hook(|report| match report {
        Report::NotEnded { task, grace } => {
            let name = task.name().unwrap_or("a task without a name");
            println!("named at the end: `{name}` did not end within {grace:?}");
        }
        other => eprintln!("{other}"),
    });
    let (tell, told) = mpsc::channel();
    let clients = thread::spawn(|| clients(told));
    // `kumi::run` would end the process as Ctrl-C does without Kumi; here there is more to say.
    let ended = Runner::new().grace(GRACE).run(&*runtime, server(tell));
    match ended {
        Ok(result) => result?,
        Err(interrupted) => println!("{interrupted}"),
    }
    match clients.join() {
        Ok(seen) => println!("{}", seen?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
    Ok(())
}

/// The server: never returns by itself, and is a scope that Ctrl-C cancels.
async fn server(tell: Sender<SocketAddr>) -> io::Result<()> {
    // Nobody waits for it and nothing can stop it: only the end of the run deals with it.
    let stuck = kumi::uncancellable(future::pending::<()>());
    kumi::spawn_named("statistics", stuck).detach();

    let listener = kumi::net::listen((Ipv4Addr::LOCALHOST, 0)).await?;
    // If the clients have gone, there will be none.
    let _ = tell.send(listener.local_addr()?);
    let served = ExitStack::run(async |stack| {
        let log = Log::default();
        let flushed = log.clone();
        // Runs when all requests have ended, however that comes about.
        stack.push(async move { Ok(flushed.flush().await?) });
        serve(listener, log).await
    });
    match served.await {
        Ok(Ok(never)) => match never {},
        Ok(Err(failed)) => Err(io::Error::other(failed)),
        Err(failed) => Err(io::Error::other(failed.to_string())),
    }
}

/// Accepts for ever. When it is cancelled, it stops at once, and waits for the requests.
async fn serve(listener: TcpListener, log: Log) -> Result<Infallible, GroupError<io::Error>> {
    // The listener is in the body of the group, which ends before the children: no one gets in.
    kumi::task_group(async move |group| {
        loop {
            let (stream, _) = listener.accept().await?;
            let request = request(stream, log.clone());
            // The cancel reaches the children, too; each decides by itself how to end.
            group.spawn(kumi::uncancellable(request));
        }
    })
    .await
}

/// Serves one connection. What goes wrong with it is a line in the log, and harms no other.
async fn request(stream: TcpStream, log: Log) -> Result<(), io::Error> {
    let mut connection = Connection {
        stream: BufReader::new(stream),
        name: None,
    };
    // Inside of `uncancellable` one is told, and has time.
    let too_late = async {
        kumi::cancelled().await;
        kumi::sleep(UPLOAD_GRACE).await;
        None
    };
    let stored = future::or(async { Some(connection.upload(&log).await) }, too_late).await;
    let name = connection.name.as_deref().unwrap_or("a connection");
    match stored {
        Some(Ok(())) => {}
        Some(Err(error)) => log.write(format!("`{name}` failed: {error}")),
        None => {
            log.write(format!("`{name}` is cut: too slow"));
            // As a courtesy; it may have gone.
            let _ = connection.answer("too slow").await;
        }
    }
    Ok(())
}

/// The server's end of a connection.
#[derive(Debug)]
struct Connection {
    stream: BufReader<TcpStream>,
    /// What is uploaded, once that was said.
    name: Option<String>,
}

impl Connection {
    /// Reads a name, says so, reads the contents, says so.
    async fn upload(&mut self, log: &Log) -> io::Result<()> {
        let Some(name) = self.read_line().await? else {
            // Somebody who only looked whether we are here.
            return Ok(());
        };
        log.write(format!("`{name}` is under way"));
        self.name = Some(name.clone());
        self.answer("go on").await?;
        match self.read_line().await? {
            Some(contents) => log.write(format!("`{name}` is stored: {contents}")),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        self.answer("stored").await
    }

    async fn read_line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let len = self.stream.read_line(&mut line).await?;
        Ok((len > 0).then(|| line.trim_end().to_owned()))
    }

    async fn answer(&mut self, line: &str) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        stream.flush().await
    }
}

/// What has happened, kept in memory until it is flushed.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn write(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }

    /// Prints the log, like a disk does: not at once.
    async fn flush(&self) -> io::Result<()> {
        kumi::sleep(Duration::from_millis(20)).await;
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        println!("the log:");
        for line in lines.iter() {
            println!("   {line}");
        }
        println!("   flushed");
        io::stdout().flush()
    }
}

/// Plays the clients. If that fails, the server is to end all the same.
fn clients(told: Receiver<SocketAddr>) -> io::Result<String> {
    let addr = told.recv().map_err(io::Error::other)?;
    let seen = uploads(addr);
    if seen.is_err() {
        press_ctrl_c()?;
    }
    seen
}

/// Begins two uploads, presses Ctrl-C, goes on with one of them; returns what both were told.
fn uploads(addr: SocketAddr) -> io::Result<String> {
    let mut quick = Upload::begin(addr, "notes.txt")?;
    let mut slow = Upload::begin(addr, "holiday.mov")?;
    println!("Ctrl-C is pressed while two uploads are under way");
    press_ctrl_c()?;
    // Until the server has taken notice.
    while Client::connect(addr).is_ok() {
        thread::sleep(Duration::from_millis(1));
    }
    println!("nobody else gets in");
    let quick = quick.say("remember the milk")?;
    println!("one upload goes on: {quick}");
    // It has been told nothing since Ctrl-C, and says nothing.
    let slow = slow.read_line()?;
    Ok(format!("the other was told: {slow}"))
}

/// Sends this process what a terminal sends.
fn press_ctrl_c() -> io::Result<()> {
    // Not by a program, whose start may take longer than an upload has left.
    Ok(kill_process(getpid(), Signal::INT)?)
}

/// The client's end of an upload.
#[derive(Debug)]
struct Upload {
    stream: io::BufReader<Client>,
}

impl Upload {
    /// Returns when the server has begun with it.
    fn begin(addr: SocketAddr, name: &str) -> io::Result<Self> {
        let stream = io::BufReader::new(Client::connect(addr)?);
        let mut upload = Self { stream };
        upload.say(name)?;
        Ok(upload)
    }

    /// Sends a line and returns the answer.
    fn say(&mut self, contents: &str) -> io::Result<String> {
        let line = format!("{contents}\n");
        self.stream.get_mut().write_all(line.as_bytes())?;
        self.read_line()
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}
