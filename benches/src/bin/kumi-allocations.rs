//! Counts what the same scenarios allocate: a program of its own, so that counting slows nobody who is timed.
#![forbid(unsafe_code)]

use kumi_benches::Allocated;

fn main() -> std::io::Result<()> {
    kumi_benches::count_allocations(|part| {
        let info = allocation_counter::measure(part);
        Allocated {
            count: info.count_total,
            bytes: info.bytes_max,
        }
    })
}
