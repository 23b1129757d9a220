//! Descriptors that run out for real: 200 clients of a server that may have 64.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::Run;
use super::trace::{Program, Seen};
use crate::process::{Cmd, Failure, Finished, Result, read};

const CLIENTS: usize = 200;

/// What the server may use of a processor while it can accept nobody, in percent.
const SHARE: f64 = 20.0;

/// How long anything may take here.
const LIMIT: Duration = Duration::from_secs(15);

pub(crate) fn run<'a>(program: &'a Program, backend: &'static str) -> Run<'a> {
    Run {
        name: format!("{backend} {CLIENTS} clients, 64 descriptors"),
        what: Box::new(move || exhaust(program, backend)),
    }
}

fn exhaust(program: &Program, backend: &str) -> Result<Vec<String>> {
    let (facts, _) = program.files();
    let server = Cmd::new("sh", &program.dir)
        .args(["-c", "ulimit -n 64 && exec \"$@\"", "sh"])
        .args(program.command(backend, &facts))
        .args(["crowd", "--clients", &CLIENTS.to_string()]);
    let said = || {
        let mut seen = Seen::default();
        seen.read_facts(&read(&facts).unwrap_or_default());
        seen
    };
    let (finished, clients) = thread::scope(|scope| {
        let clients = scope.spawn(|| clients(&said));
        let finished = server.within(LIMIT * 2, "faults");
        (finished, clients.join())
    });
    let finished: Finished = finished?;
    let clients = clients.map_err(|_| Failure::new("the clients panicked"))?;
    let mut wrong = Vec::new();
    wrong.extend(clients.err());
    if !finished.succeeded() || finished.stderr.contains("panicked") {
        wrong.push(format!("{}: {}", finished.ending(), finished.stderr));
    }
    let seen = said();
    let exhausted = seen.fact("exhausted").unwrap_or_default();
    let share = exhausted.split_whitespace().next();
    match share.and_then(|share| share.parse::<f64>().ok()) {
        Some(share) if share <= SHARE => {}
        _ => wrong.push(format!("percent of a processor, and errors: {exhausted}")),
    }
    if seen.fact("served") != Some(&*CLIENTS.to_string()) {
        wrong.push(format!("served: {:?}", seen.fact("served")));
    }
    let descriptors = seen.fact("descriptors").unwrap_or_default();
    let mut numbers = descriptors.split_whitespace();
    if numbers.next() != numbers.next() || descriptors.is_empty() {
        wrong.push(format!("descriptors, before and after: {descriptors}"));
    }
    Ok(wrong)
}

/// Comes, waits until the server is in need, and goes one after the other, each with its answer.
fn clients(said: &dyn Fn() -> Seen) -> std::result::Result<(), String> {
    let port = wait_for(said, "port")?;
    let port: u16 = port.parse().map_err(|_| format!("the port is {port}"))?;
    let come = || {
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        client.set_read_timeout(Some(LIMIT))?;
        client.write_all(b"?")?;
        Ok(client)
    };
    let clients: std::io::Result<Vec<_>> = (0..CLIENTS).map(|_| come()).collect();
    let clients = clients.map_err(|error| format!("a client cannot connect: {error}"))?;
    wait_for(said, "exhausted")?;
    for (number, mut client) in clients.into_iter().enumerate() {
        let answer = client.read_exact(&mut [0]);
        answer.map_err(|error| format!("no answer for client {number}: {error}"))?;
    }
    Ok(())
}

fn wait_for(said: &dyn Fn() -> Seen, name: &str) -> std::result::Result<String, String> {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        if let Some(what) = said().fact(name) {
            return Ok(what.to_owned());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Err(format!("the server does not say `{name}`"))
}
