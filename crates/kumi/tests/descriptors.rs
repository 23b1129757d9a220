//! Descriptors that run out, and very many of them: what takes processes with limits of their own.
//!
//! Each test starts this binary again for one `child_*` test, with a variable that turns it on, on each
//! backend that has sockets.
#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    reason = "the parent reads what the child prints"
)]

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use kumi::net::{self, ConnectOptions, ListenOptions};

/// Turns the children on.
const CHILD: &str = "KUMI_TEST_CHILD";

const BACKENDS: [&str; 3] = ["loop", "tokio", "smol"];

/// How many connections there are at once in `very_many_connections`; 10 000 is what a machine can do
/// whose limit is 20 000 descriptors, but takes its time without optimisation.
const CONNECTIONS: &str = "KUMI_TEST_CONNECTIONS";

/// This binary for one of its children, with a limit of descriptors; "hard" is the highest there is.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(name: &str, backend: &str, limit: &str, args: &[(&str, String)]) -> Self {
        let limit = match limit {
            "hard" => "$(ulimit -Hn)",
            limit => limit,
        };
        let this = std::env::current_exe().expect("this binary has a path");
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {limit} && exec \"$@\""), "sh"])
            .arg(this)
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(CHILD, "1")
            .env("KUMI_BACKEND", backend)
            .envs(args.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    /// Waits for a line with `name` in it, and returns the word after it.
    fn told(&mut self, name: &str) -> String {
        for line in &mut self.lines {
            let line = line.expect("the pipe works");
            let mut words = line.split_whitespace();
            if words.any(|word| word == name) {
                return words.next().unwrap_or_default().to_owned();
            }
        }
        panic!("the child ended before it said `{name}`");
    }

    fn number(&mut self, name: &str) -> usize {
        self.told(name).parse().expect("a number")
    }

    /// Lets a child go on that waits in [`wait_for_parent`].
    fn go_on(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        stdin.write_all(b"\n").expect("the pipe works");
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        // It writes a last line of its own.
        for line in &mut self.lines {
            line.expect("the pipe works");
        }
        assert!(self.child.wait().expect("it ends").success());
    }
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// What the parent has told this child.
fn argument(name: &str) -> String {
    std::env::var(name).expect("the parent says it")
}

async fn wait_for_parent() {
    kumi::to_thread(|| std::io::stdin().read_line(&mut String::new()))
        .await
        .expect("no panic")
        .expect("the pipe works");
}

/// How many descriptors this process has open.
fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .expect("it is there")
        .count()
}

/// How much memory of this process is in use, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let word = line.and_then(|line| line.split_whitespace().nth(1));
    word.and_then(|word| word.parse().ok()).expect("a number")
}

/// How many clients come at once, while the server may have 64 descriptors.
const CLIENTS: usize = 200;

#[test]
fn a_server_without_descriptors_neither_spins_nor_forgets_anybody() {
    for backend in BACKENDS {
        let mut server = Running::start("child_serves_with_too_few", backend, "64", &[]);
        let addr: SocketAddr = server.told("address").parse().expect("an address");
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut client = TcpStream::connect(addr).expect("a place in the queue");
                client.write_all(b"?").expect("room");
                client
            })
            .collect();
        // It is out of descriptors, and has seen that this lasts.
        server.told("again");
        // They are answered in their order, each of the later ones only when an earlier one goes.
        for mut client in clients {
            let mut answer = [0];
            client.read_exact(&mut answer).expect("an answer");
            assert_eq!(&answer, b"!");
        }
        let served = server.number("served");
        let errors = server.number("errors");
        let before = server.number("before");
        let after = server.number("after");
        assert_eq!(served, CLIENTS, "on {backend}");
        // One at most for each that was accepted, and a few while nobody went; a server that spins has
        // tens of thousands.
        assert!(
            (6..=3 * CLIENTS).contains(&errors),
            "{errors} errors on {backend}"
        );
        assert_eq!(after, before, "descriptors on {backend}");
        server.end();
    }
}

#[test]
fn child_serves_with_too_few() {
    if !is_child() {
        return;
    }
    kumi::run(async {
        let listener = net::listen("127.0.0.1:0").await.expect("a port");
        println!("address {}", listener.local_addr().expect("an address"));
        let before = open_descriptors();
        let mut served = Vec::new();
        let mut errors = 0;
        // As careless as a server can be.
        while served.len() < CLIENTS {
            match listener.accept().await {
                Ok((mut stream, _)) => served.push(kumi::spawn(async move {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).await.expect("a question");
                    stream.write_all(b"!").await.expect("room");
                    // Until the client goes.
                    assert_eq!(stream.read(&mut byte).await.expect("the end"), 0);
                })),
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(24), "{error}");
                    errors += 1;
                    if errors == 6 {
                        println!("again");
                    }
                }
            }
        }
        let count = served.len();
        for task in served {
            task.await.expect("no panic");
        }
        println!("served {count}");
        println!("errors {errors}");
        println!("before {before}");
        println!("after {}", open_descriptors());
    });
}

#[test]
fn very_many_connections() {
    let connections = std::env::var(CONNECTIONS).unwrap_or_else(|_| "1000".to_owned());
    for (number, backend) in BACKENDS.into_iter().enumerate() {
        let count = [(CONNECTIONS, connections.clone())];
        let mut server = Running::start("child_serves_very_many", backend, "hard", &count);
        let mut args = count.to_vec();
        args.push(("KUMI_TEST_ADDRESS", server.told("address")));
        args.push(("KUMI_TEST_NUMBER", number.to_string()));
        let mut client = Running::start("child_asks_very_many", backend, "hard", &args);
        let wanted: usize = connections.parse().expect("a number");
        let mut memory = Vec::new();
        let start = (server.number("open"), client.number("open"));
        for _ in 0..3 {
            client.go_on();
            client.told("connected");
            server.go_on();
            let open = server.number("open");
            assert!(open >= wanted, "{open} descriptors on {backend}");
            memory.push([server.number("resident"), client.number("resident")]);
            client.go_on();
            client.told("closed");
            let after = (server.number("open"), client.number("open"));
            assert_eq!(after, start, "descriptors on {backend}");
        }
        println!("on {backend}, KiB of server and client with {wanted} connections: {memory:?}");
        let [_, second, third] = memory[..] else {
            unreachable!("three rounds")
        };
        // What the allocator keeps when they are gone is its own business; what is needed for as many
        // connections does not grow.
        for (second, third) in second.into_iter().zip(third) {
            assert!(third <= second + 1024, "{memory:?} on {backend}");
        }
        client.end();
        server.end();
    }
}

/// Echoes bytes, as many connections as there are.
#[test]
fn child_serves_very_many() {
    if !is_child() {
        return;
    }
    kumi::run(async {
        let options = ListenOptions::new().backlog(4096);
        let listener = net::listen_with(&options, "127.0.0.1:0").await;
        let listener = Arc::new(listener.expect("a port"));
        println!("address {}", listener.local_addr().expect("an address"));
        // The threads and descriptors of waiting for the parent are there from now on.
        kumi::to_thread(|| ()).await.expect("no panic");
        let start = open_descriptors();
        println!("open {start}");
        let live = Arc::new(AtomicUsize::new(0));
        let (count, accepts) = (Arc::clone(&live), Arc::clone(&listener));
        let server = kumi::spawn(async move {
            loop {
                let (mut stream, _) = accepts.accept().await.expect("a connection");
                count.fetch_add(1, Ordering::Relaxed);
                let count = Arc::clone(&count);
                kumi::spawn(async move {
                    let mut buf = [0; 64];
                    while let Ok(n @ 1..) = stream.read(&mut buf).await {
                        stream.write_all(&buf[..n]).await.expect("room");
                    }
                    drop(stream);
                    count.fetch_sub(1, Ordering::Relaxed);
                })
                .detach();
            }
        });
        for _ in 0..3 {
            wait_for_parent().await;
            println!("open {}", open_descriptors());
            println!("resident {}", resident());
            while live.load(Ordering::Relaxed) > 0 {
                kumi::sleep(std::time::Duration::from_millis(1)).await;
            }
            println!("open {}", open_descriptors());
        }
        drop(server);
    });
}

#[test]
fn child_asks_very_many() {
    if !is_child() {
        return;
    }
    kumi::run(async {
        let addr: SocketAddr = argument("KUMI_TEST_ADDRESS").parse().expect("an address");
        let count: usize = argument(CONNECTIONS).parse().expect("a number");
        let number: u8 = argument("KUMI_TEST_NUMBER").parse().expect("a number");
        kumi::to_thread(|| ()).await.expect("no panic");
        // So is what waits for descriptors: smol's is opened by a thread of its own, or by the first timer.
        kumi::sleep(std::time::Duration::from_millis(1)).await;
        println!("open {}", open_descriptors());
        for round in 0..3 {
            wait_for_parent().await;
            // Each round from an address of its own, or the ports run out.
            let local = Ipv4Addr::new(127, 0, 1 + number, 1 + round);
            let options = ConnectOptions::new().local_addr((local, 0).into());
            let mut streams = Vec::new();
            for _ in 0..count {
                let stream = net::connect_with(&options, addr).await;
                streams.push(stream.expect("a connection"));
            }
            let mut tasks = Vec::new();
            for (index, mut stream) in streams.into_iter().enumerate() {
                tasks.push(kumi::spawn(async move {
                    let bytes = index.to_ne_bytes();
                    for _ in 0..10 {
                        let mut answer = [0; size_of::<usize>()];
                        stream.write_all(&bytes).await.expect("room");
                        stream.read_exact(&mut answer).await.expect("an answer");
                        assert_eq!(answer, bytes);
                    }
                    stream
                }));
            }
            let mut streams = Vec::new();
            for task in tasks {
                streams.push(task.await.expect("no panic"));
            }
            println!("connected {count}");
            println!("resident {}", resident());
            wait_for_parent().await;
            drop(streams);
            println!("closed {count}");
            println!("open {}", open_descriptors());
        }
    });
}
