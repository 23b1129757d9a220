//! A server for more clients than it may have descriptors.
//!
//! Each client is answered and then kept until it goes. The server says its port, then when it has met
//! its limit for a while, then how much processor time it has used while nothing could be accepted, and at the
//! end how many clients it has served, how many errors it has seen and how many descriptors are open.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use kumi::net::{self, TcpStream};
use kumi::{Backend, GroupError, Runner};

use crate::facts::Facts;
use crate::gauge::{cpu, descriptors};
use crate::run_on;

/// For how long the limit is looked at.
const WHILE: Duration = Duration::from_secs(2);

/// Serves `clients` clients.
///
/// # Panics
///
/// If it cannot listen.
pub fn run(runtime: &Backend, clients: usize, facts: &Arc<Facts>) {
    let ran = run_on(runtime, Runner::new(), Box::pin(serve(clients, facts)));
    ran.expect("nobody interrupts this");
}

async fn serve(clients: usize, facts: &Arc<Facts>) {
    // smol opens its own descriptors when they are first needed.
    kumi::sleep(Duration::from_millis(1)).await;
    let before = descriptors();
    let listener = net::listen((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    facts.say("port", listener.local_addr().expect("it is bound").port());
    let (mut served, mut errors, mut since) = (0, 0_usize, None);
    let ended: Result<(), GroupError<()>> = kumi::task_group(async |group| {
        while served < clients {
            match listener.accept().await {
                Ok((stream, _)) => {
                    served += 1;
                    group.spawn(answer(stream));
                }
                Err(error) => {
                    errors += 1;
                    facts.error("accept", &error);
                    let (began, used) = *since.get_or_insert_with(|| (Instant::now(), cpu()));
                    if began.elapsed() >= WHILE && began.elapsed() < WHILE * 2 {
                        let used = cpu() - used;
                        let share = used.as_secs_f64() / began.elapsed().as_secs_f64();
                        facts.say("exhausted", format_args!("{:.1} {errors}", share * 100.0));
                    }
                }
            }
        }
        Ok(())
    })
    .await;
    ended.expect("no child fails");
    drop(listener);
    facts.say_errors();
    facts.say("served", served);
    facts.say("descriptors", format_args!("{before} {}", descriptors()));
}

async fn answer(mut stream: TcpStream) -> Result<(), ()> {
    let mut byte = [0];
    if stream.read_exact(&mut byte).await.is_ok() && stream.write_all(b"!").await.is_ok() {
        // Until the client goes.
        let _ = stream.read(&mut byte).await;
    }
    Ok(())
}
