//! Very many connections over TCP: held at once, and opened and closed one after the other.
//!
//! The server is the same program in a second process, on the same backend, so that each has its own limit
//! of descriptors. It listens twice: what comes to the first address is echoed; who connects to the second
//! one is told what the server holds.
//!
//! What must stay true: every byte comes back; when the client has closed its connections, both processes
//! have the descriptors and the memory that they had before.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, io, process, thread};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use kumi::net::{self, ListenOptions, TcpListener, TcpStream};
use kumi::{BackendKind, GroupError};

use crate::gauge::{Gauge, allow_descriptors, slack};
use crate::report::Checks;

/// How often each connection that is held sends something and has it back.
const ROUNDS: u64 = 10;

/// How many connections are being made at once, fewer than the kernel's queue holds.
const AT_ONCE: usize = 64;

/// Descriptors beside those of the connections.
const OTHERS: u64 = 64;

/// How long the server may take to see that connections were closed.
const LIMIT: Duration = Duration::from_secs(20);

/// How many connections there are.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// At once.
    pub held: usize,
    /// One after the other.
    pub churned: usize,
}

/// Runs the part.
pub fn run(kind: BackendKind, sizes: Sizes, checks: &mut Checks) {
    let ready = allow_descriptors(sizes.held as u64 + OTHERS);
    if let Err(missing) = ready {
        return checks.that(false, || missing);
    }
    let main = async {
        let done = part(kind, sizes, checks).await;
        checks.that(done.is_ok(), || format!("connections: {done:?}"));
    };
    crate::run(kind, Box::pin(main));
}

async fn part(kind: BackendKind, sizes: Sizes, checks: &mut Checks) -> io::Result<()> {
    let server = Server::start(kind, sizes.held)?;
    for say in [false, true] {
        let before = (Gauge::now(), server.status().await?);
        let began = Instant::now();
        let streams = hold(&server, sizes.held, checks).await;
        let made = began.elapsed();
        let there = server.status().await?;
        checks.equal("connections at the server", there.live, sizes.held);
        let now = Gauge::now();
        if say {
            checks.time("connect", sizes.held, made);
            let each = |now: usize, before: usize| now.saturating_sub(before) / sizes.held.max(1);
            checks.line(&format!(
                "bytes of a connection and its task: {} B here, {} B at the server",
                each(now.bytes, before.0.bytes),
                each(there.gauge.bytes, before.1.gauge.bytes)
            ));
        }
        let began = Instant::now();
        let streams = echo(streams, checks).await;
        let total = sizes.held * usize::try_from(ROUNDS).expect("it is ten");
        if say {
            checks.time("echo", total, began.elapsed());
        }
        drop(streams);
        let began = Instant::now();
        churn(&server, sizes.churned, checks).await;
        if say {
            checks.time("connect, close", sizes.churned, began.elapsed());
        }
        let after = server.settled(before.1.gauge.descriptors).await?;
        if say {
            before.0.check("client", checks).await;
            before.1.gauge.judge(after.gauge, slack(), "server", checks);
        }
    }
    server.end(checks);
    Ok(())
}

/// Makes the connections.
async fn hold(server: &Server, count: usize, checks: &mut Checks) -> Vec<TcpStream> {
    let each = count.div_ceil(AT_ONCE);
    let made: Result<_, GroupError<io::Error>> = kumi::task_group(async |group| {
        let mut tasks = Vec::new();
        for number in 0..AT_ONCE {
            let addresses: Vec<_> = (number * each..((number + 1) * each).min(count))
                .map(|number| server.address(number))
                .collect();
            tasks.push(group.spawn(async move {
                let mut streams = Vec::with_capacity(addresses.len());
                for address in addresses {
                    let mut stream = net::connect(address).await?;
                    // One byte there and back, so that the server has accepted it.
                    stream.write_all(b"!").await?;
                    stream.read_exact(&mut [0]).await?;
                    streams.push(stream);
                }
                Ok(streams)
            }));
        }
        let mut streams = Vec::with_capacity(count);
        for task in tasks {
            streams.extend(task.await.into_iter().flatten());
        }
        Ok(streams)
    })
    .await;
    checks.that(made.is_ok(), || {
        format!("connecting: {:?}", made.as_ref().err())
    });
    made.unwrap_or_default()
}

/// Sends numbers, a task for each connection.
async fn echo(streams: Vec<TcpStream>, checks: &mut Checks) -> Vec<TcpStream> {
    let count = streams.len();
    let answers = Arc::new(AtomicUsize::new(0));
    let back: Result<_, GroupError<io::Error>> = kumi::task_group(async |group| {
        let mut tasks = Vec::with_capacity(count);
        for (number, mut stream) in streams.into_iter().enumerate() {
            let answers = Arc::clone(&answers);
            tasks.push(group.spawn(async move {
                for round in 0..ROUNDS {
                    let question = (number as u64 * ROUNDS + round).to_le_bytes();
                    let mut answer = [0; 8];
                    stream.write_all(&question).await?;
                    stream.read_exact(&mut answer).await?;
                    if answer == question {
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Ok(stream)
            }));
        }
        let mut streams = Vec::with_capacity(count);
        for task in tasks {
            streams.extend(task.await);
        }
        Ok(streams)
    })
    .await;
    checks.that(back.is_ok(), || {
        format!("echoing: {:?}", back.as_ref().err())
    });
    let expected = count * usize::try_from(ROUNDS).expect("it is ten");
    checks.equal("answers", answers.load(Ordering::Relaxed), expected);
    back.unwrap_or_default()
}

/// Opens and closes connections.
async fn churn(server: &Server, count: usize, checks: &mut Checks) {
    let done = Arc::new(AtomicUsize::new(0));
    let ended: Result<(), GroupError<io::Error>> = kumi::task_group(async |group| {
        for number in 0..AT_ONCE {
            let done = Arc::clone(&done);
            let addresses: Vec<_> = (number..count)
                .step_by(AT_ONCE)
                .map(|number| server.address(number))
                .collect();
            group.spawn(async move {
                for address in addresses {
                    let mut stream = net::connect(address).await?;
                    stream.write_all(b"!").await?;
                    stream.read_exact(&mut [0]).await?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        Ok(())
    })
    .await;
    checks.that(ended.is_ok(), || {
        format!("connecting and closing: {ended:?}")
    });
    checks.equal(
        "connections that were opened and closed",
        done.load(Ordering::Relaxed),
        count,
    );
}

/// What the server holds.
#[derive(Debug, Clone, Copy)]
struct Status {
    live: usize,
    gauge: Gauge,
}

/// The other process; it ends when this is dropped, because its standard input does.
struct Server {
    child: Child,
    port: u16,
    status: SocketAddr,
}

impl Server {
    fn start(kind: BackendKind, held: usize) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["--backend", kind.name(), "--serve"])
            .args(["--connections", &held.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut words = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut words)?;
        }
        let mut ports = words.split_whitespace().map(str::parse);
        let (Some(Ok(port)), Some(Ok(status))) = (ports.next(), ports.next()) else {
            return Err(io::Error::other("the server does not say where it listens"));
        };
        let status = (Ipv4Addr::LOCALHOST, status).into();
        Ok(Self {
            child,
            port,
            status,
        })
    }

    /// The addresses 127.0.0.2 to 127.0.0.9 in turn: a closed connection keeps its pair of ports for a while.
    fn address(&self, number: usize) -> SocketAddr {
        let last = 2 + u8::try_from(number % 8).expect("below eight");
        (Ipv4Addr::new(127, 0, 0, last), self.port).into()
    }

    async fn status(&self) -> io::Result<Status> {
        let mut text = String::new();
        let mut stream = net::connect(self.status).await?;
        stream.read_to_string(&mut text).await?;
        let mut numbers = text.split_whitespace().map(str::parse);
        let mut next = || match numbers.next() {
            Some(Ok(number)) => Ok(number),
            _ => Err(io::Error::other(format!("the server says `{text}`"))),
        };
        Ok(Status {
            live: next()?,
            gauge: Gauge {
                descriptors: next()?,
                bytes: next()?,
                resident: next()?,
            },
        })
    }

    /// The status when the server has seen the end of all connections.
    async fn settled(&self, descriptors: usize) -> io::Result<Status> {
        let began = Instant::now();
        loop {
            let status = self.status().await?;
            let settled = status.live == 0 && status.gauge.descriptors == descriptors;
            if settled || began.elapsed() > LIMIT {
                return Ok(status);
            }
            kumi::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks the server to end.
    fn end(mut self, checks: &mut Checks) {
        drop(self.child.stdin.take());
        let status = self.child.wait();
        checks.that(status.as_ref().is_ok_and(|status| status.success()), || {
            format!("the server ended with {status:?}")
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `end` there is nothing to do.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The server's side, until standard input ends.
///
/// # Errors
///
/// If there may not be so many descriptors, or the system does not let it listen.
pub fn serve(kind: BackendKind, held: usize) -> Result<(), String> {
    allow_descriptors(held as u64 + OTHERS)?;
    let mut served = Ok(());
    let main = async {
        served = answer_all().await.map_err(|error| error.to_string());
    };
    crate::run(kind, Box::pin(main));
    served
}

async fn answer_all() -> io::Result<()> {
    let options = ListenOptions::new().backlog(4096);
    let echo = net::listen_with(&options, (Ipv4Addr::UNSPECIFIED, 0)).await?;
    let status = net::listen((Ipv4Addr::LOCALHOST, 0)).await?;
    println!(
        "{} {}",
        echo.local_addr()?.port(),
        status.local_addr()?.port()
    );
    let live = Arc::new(AtomicUsize::new(0));
    let answer = tell(status, Arc::clone(&live));
    let ended: Result<(), GroupError<io::Error>> = kumi::task_group(async |group| {
        group.spawn(answer);
        // The process ends with its parent, whatever the runtime does.
        thread::spawn(|| {
            while io::stdin()
                .read_line(&mut String::new())
                .is_ok_and(|read| read > 0)
            {}
            process::exit(0);
        });
        loop {
            let (stream, _) = echo.accept().await?;
            live.fetch_add(1, Ordering::Relaxed);
            group.spawn(converse(stream, Arc::clone(&live)));
        }
    })
    .await;
    ended.map_err(|error| {
        error
            .into_first()
            .unwrap_or_else(|| io::Error::other("cancelled"))
    })
}

async fn converse(mut stream: TcpStream, live: Arc<AtomicUsize>) -> io::Result<()> {
    let mut buf = [0; 64];
    while let Ok(read @ 1..) = stream.read(&mut buf).await {
        if stream.write_all(&buf[..read]).await.is_err() {
            break;
        }
    }
    drop(stream);
    live.fetch_sub(1, Ordering::Relaxed);
    Ok(())
}

/// Tells everybody who connects what this process holds.
async fn tell(listener: TcpListener, live: Arc<AtomicUsize>) -> io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let gauge = Gauge::now();
        let live = live.load(Ordering::Relaxed);
        let Gauge {
            bytes,
            resident,
            descriptors,
        } = gauge;
        let text = format!("{live} {descriptors} {bytes} {resident}\n");
        stream.write_all(text.as_bytes()).await?;
    }
}
