//! Debug mode through the facade: the places are those of the program that calls it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kumi::report::{self, Report};

/// In one test, because the hook is the process's; on every backend that is compiled in.
#[kumi::test]
async fn reports_name_places_of_this_file() {
    static ALONE: Mutex<()> = Mutex::new(());
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let seen = || std::mem::take(&mut *SEEN.lock().unwrap_or_else(PoisonError::into_inner));
    let _alone = Alone(ALONE.lock().unwrap_or_else(PoisonError::into_inner));
    report::set_hook(|report: &Report| {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(report.to_string());
    });
    kumi::debug::set_debug(true);
    kumi::debug::set_slow_callback_duration(Duration::MAX);

    drop(kumi::task_group(async |_| Ok::<_, u32>(())));
    drop(kumi::spawned::gather([async {}]));
    let mut made = vec!["task_group", "gather"];
    if cfg!(debug_assertions) {
        drop(kumi::timeout(Duration::MAX, async {}));
        drop(kumi::race([async {}]));
        made.extend(["timeout", "race"]);
    }
    let texts = seen();
    assert_eq!(texts.len(), made.len(), "{texts:?}");
    for (text, what) in texts.iter().zip(made) {
        let begin = format!("the future of `{what}`, made at {}:", file!());
        assert!(text.starts_with(&begin), "{text}");
    }

    let task = kumi::spawn_detached(async { Err::<(), _>("nobody listens") });
    while !task.is_finished() {
        kumi::yield_now().await;
    }
    // It is dropped after the end, perhaps on another thread.
    let texts = loop {
        let texts = seen();
        if !texts.is_empty() {
            break texts;
        }
        kumi::yield_now().await;
    };
    assert_eq!(texts.len(), 1, "{texts:?}");
    let begin = format!("nobody took the error of {}: ", task.info());
    assert_eq!(texts[0], format!("{begin}nobody listens"));
    assert_eq!(task.info().location().file(), file!());
}

struct Alone(#[allow(dead_code, reason = "it is held")] std::sync::MutexGuard<'static, ()>);

impl Drop for Alone {
    fn drop(&mut self) {
        kumi::debug::set_debug(false);
        report::reset_hook();
    }
}
