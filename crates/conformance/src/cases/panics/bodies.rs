//! The future that a primitive runs, and its clean-up: their polls and their destructors panic.

use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kumi_core::cancel::{CancelScope, checkpoint};
use kumi_core::cleanup::{ExitStack, bracket, finally, on_cancel, uncancellable};
use kumi_core::combine::timeout;
use kumi_core::group::{ScopeSend, TaskGroup, scope_send, task_group};
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnExt, shield};

use super::faulty::{Faulty, Plan, map, unique};
use crate::probe::{Gate, Log, text, token, until};
use crate::reports;

/// What runs the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Primitive {
    Task,
    Scope,
    Limit,
    Uncancellable,
    Finally,
    OnCancel,
    Bracket,
    ExitStack,
    Shield,
    GroupBody,
    GroupChild,
    ScopeBody,
    ScopeChild,
}

use Primitive::*;

const ALL: [Primitive; 13] = [
    Task,
    Scope,
    Limit,
    Uncancellable,
    Finally,
    OnCancel,
    Bracket,
    ExitStack,
    Shield,
    GroupBody,
    GroupChild,
    ScopeBody,
    ScopeChild,
];

/// How the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Value,
    Panic,
    /// The scope around the primitive is cancelled.
    Scope,
    /// The task is.
    Task,
}

/// One combination.
#[derive(Debug, Clone, Copy)]
struct Scene {
    primitive: Primitive,
    end: End,
    /// The destructor of the body panics.
    drop: bool,
    /// The clean-up panics.
    clean_up: bool,
    /// The destructor of the clean-up panics.
    clean_up_drop: bool,
}

impl Scene {
    fn cancelled(&self) -> bool {
        matches!(self.end, End::Scope | End::Task)
    }

    /// Whether the combination says something.
    fn is_one(&self) -> bool {
        let cleans_up = matches!(self.primitive, Finally | OnCancel | Bracket | ExitStack);
        let ends = match self.primitive {
            // What a cancel does to these is no matter of panics.
            Uncancellable | Shield => !self.cancelled(),
            _ => true,
        };
        // Use and release are awaited in an async block, which drops them while it unwinds: a second
        // panic then ends the process.
        let twice = self.end == End::Panic && self.drop || self.clean_up && self.clean_up_drop;
        let twice = twice && self.primitive == Bracket;
        ends && !twice && (cleans_up || !self.clean_up && !self.clean_up_drop)
    }
}

fn scenes() -> Vec<Scene> {
    let mut all = Vec::new();
    for primitive in ALL {
        for end in [End::Value, End::Panic, End::Scope, End::Task] {
            for bits in 0..8 {
                all.push(Scene {
                    primitive,
                    end,
                    drop: bits & 1 != 0,
                    clean_up: bits & 2 != 0,
                    clean_up_drop: bits & 4 != 0,
                });
            }
        }
    }
    all.retain(Scene::is_one);
    all
}

type Boxed = Pin<Box<dyn Future<Output = u32> + Send>>;

fn value(result: Result<u32, &'static str>) -> u32 {
    result.expect("it returns a value")
}

/// The primitive, with a sibling where it can have one.
pub(super) fn run<R: Runtime>(
    rt: &R,
    primitive: Primitive,
    body: Faulty,
    clean_up: Faulty,
    sibling: impl Future<Output = Result<(), &'static str>> + Send + 'static,
) -> Boxed {
    let hour = Duration::from_secs(3600);
    match primitive {
        Task => Box::pin(map(body, value)),
        Scope => Box::pin(map(CancelScope::new().run(body), |ended| {
            value(ended.expect("nobody cancels it"))
        })),
        Limit => Box::pin(map(timeout(rt, hour, body), |ended| {
            value(ended.expect("it is in time"))
        })),
        Uncancellable => Box::pin(map(uncancellable(body), value)),
        Finally => Box::pin(map(finally(body, map(clean_up, drop)), value)),
        OnCancel => Box::pin(map(on_cancel(body, map(clean_up, drop)), value)),
        Bracket => {
            let used = bracket(
                ready(()),
                move |(): &mut ()| body,
                move |()| map(clean_up, drop),
            );
            Box::pin(map(used, value))
        }
        ExitStack => {
            let stack = kumi_core::cleanup::ExitStack::run(move |stack: self::ExitStack| {
                stack.push(map(clean_up, |_| Ok(())));
                body
            });
            Box::pin(map(stack, |ended| value(ended.expect("no release fails"))))
        }
        Shield => Box::pin(map(shield(rt, body), |ended| match ended {
            Ok(result) => value(result),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        })),
        GroupBody => {
            let group = task_group(rt, move |group: TaskGroup<&'static str, R>| {
                group.spawn(sibling);
                body
            });
            Box::pin(map(group, |ended| ended.expect("nothing fails")))
        }
        GroupChild => {
            let group = task_group(rt, move |group: TaskGroup<&'static str, R>| {
                group.spawn(sibling);
                group.spawn(body);
                ready(Ok(1))
            });
            Box::pin(map(group, |ended| ended.expect("nothing fails")))
        }
        ScopeBody => {
            let scope = scope_send(move |scope: ScopeSend<'_, &'static str>| {
                scope.spawn(sibling);
                body
            });
            Box::pin(map(scope, |ended| ended.expect("nothing fails")))
        }
        ScopeChild => {
            let scope = scope_send(move |scope: ScopeSend<'_, &'static str>| {
                scope.spawn(sibling);
                scope.spawn(body);
                ready(Ok(1))
            });
            Box::pin(map(scope, |ended| ended.expect("nothing fails")))
        }
    }
}

/// Who saw which panic.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// How the task ended.
    joined: Result<Option<u32>, String>,
    /// What was reported.
    reported: Vec<String>,
}

/// What has to come of the panics, in the order in which they come.
fn expect(scene: &Scene, texts: &Texts) -> Outcome {
    let cleans_up = match scene.primitive {
        Finally | Bracket | ExitStack => true,
        OnCancel => scene.cancelled(),
        _ => false,
    };
    let has_clean_up = cleans_up || scene.primitive == OnCancel;
    let panics = [
        (scene.end == End::Panic, &texts.poll),
        (scene.drop, &texts.drop),
        (scene.clean_up && cleans_up, &texts.clean_up),
        (scene.clean_up_drop && has_clean_up, &texts.clean_up_drop),
    ];
    let panics = panics.into_iter().filter(|(comes, _)| *comes);
    let mut panics: Vec<String> = panics.map(|(_, text)| text.clone()).collect();
    // A task of its own has its value already when its future is dropped.
    let kept = scene.end == End::Value && matches!(scene.primitive, Shield | GroupChild);
    let joined = match (panics.is_empty() || kept, scene.cancelled()) {
        (false, _) => Err(panics.remove(0)),
        (true, true) => Ok(None),
        (true, false) => Ok(Some(1)),
    };
    Outcome {
        joined,
        reported: panics,
    }
}

/// What each of the panics says.
struct Texts {
    poll: String,
    drop: String,
    clean_up: String,
    clean_up_drop: String,
}

/// Brings the combination about, and checks everything but who saw which panic.
async fn see<R: Runtime>(rt: &R, scene: &Scene, texts: &Texts, expected: &Outcome) -> Outcome {
    let (time, begun, gone) = (Gate::new(), Gate::new(), Gate::new());
    let polls = Arc::<AtomicUsize>::default();
    let (body_token, body_witness) = token();
    let (clean_token, clean_witness) = token();
    let if_so = |wanted: bool, text: &String| wanted.then(|| text.clone());
    let body = Plan {
        poll: if_so(scene.end == End::Panic, &texts.poll),
        drop: if_so(scene.drop, &texts.drop),
        time: time.clone(),
        begun: begun.clone(),
        gone: gone.clone(),
        polls: Arc::default(),
        _token: body_token,
    };
    let open = Gate::new();
    open.open();
    let clean_up = Plan {
        poll: if_so(scene.clean_up, &texts.clean_up),
        drop: if_so(scene.clean_up_drop, &texts.clean_up_drop),
        time: open,
        begun: Gate::new(),
        gone: Gate::new(),
        polls: Arc::clone(&polls),
        _token: clean_token,
    };
    let log = Log::new();
    let (inside, around) = (log.clone(), log.clone());
    let waits = Gate::new();
    let waiting = waits.clone();
    let sibling = async move {
        let clean_up = async {
            checkpoint().await;
            inside.note("sibling");
        };
        let until_gone = async {
            waiting.open();
            gone.wait().await;
        };
        finally(until_gone, clean_up).await;
        Ok(())
    };
    let beside = Gate::new();
    let other = rt.spawn(beside.wait());

    let scope = CancelScope::new();
    let handle = scope.handle();
    let runs = run(rt, scene.primitive, body.start(), clean_up.start(), sibling);
    // The closure of a group is called, and may spawn, before the first poll of what is around.
    let polled = Gate::new();
    let entered = polled.clone();
    let mut runs = Box::pin(scope.run(runs));
    let runs = poll_fn(move |cx| {
        entered.open();
        runs.as_mut().poll(cx)
    });
    let task = rt.spawn(finally(runs, async move {
        checkpoint().await;
        around.note("around");
    }));
    begun.wait().await;
    polled.wait().await;
    let siblings = matches!(
        scene.primitive,
        GroupBody | GroupChild | ScopeBody | ScopeChild
    );
    if siblings {
        // A child that is cancelled before its first poll has nothing to clean up.
        waits.wait().await;
    }
    match scene.end {
        End::Value | End::Panic => time.open(),
        End::Scope => assert!(handle.cancel()),
        End::Task => assert!(task.cancel()),
    }
    let joined = match task.await {
        Ok(ended) => Ok(ended.ok()),
        Err(error) if error.is_cancelled() => Ok(None),
        Err(error) => Err(text(error.into_panic())),
    };

    // The clean-ups around, and those of siblings.
    assert!(log.has("around"), "{scene:?}");
    assert_eq!(log.has("sibling"), siblings, "{scene:?}");
    let cleaned = match scene.primitive {
        Finally | Bracket | ExitStack => true,
        OnCancel => scene.cancelled(),
        _ => false,
    };
    assert_eq!(polls.load(Ordering::SeqCst) > 0, cleaned, "{scene:?}");
    // Nothing is kept; a task of its own may be let go of a little later.
    until(|| body_witness.count() == 1 && clean_witness.count() == 1).await;
    assert!(handle.has_ended(), "{scene:?}");
    // And it goes on.
    beside.open();
    other.await.expect("the sibling finishes");
    assert_eq!(rt.spawn(async { 2 }).await.expect("it works"), 2);

    let all = [
        &texts.poll,
        &texts.drop,
        &texts.clean_up,
        &texts.clean_up_drop,
    ];
    let reported = || -> Vec<String> {
        let all = all.into_iter();
        let twice = all.flat_map(|text| vec![text.clone(); reports::of_panics(text)]);
        twice.collect()
    };
    // What another thread is about to report.
    until(|| reported().len() >= expected.reported.len()).await;
    Outcome {
        joined,
        reported: reported(),
    }
}

async fn all<R: Runtime>(rt: &R, which: impl Fn(&Scene) -> bool, count: usize) {
    let scenes: Vec<_> = scenes().into_iter().filter(which).collect();
    for scene in &scenes {
        let texts = Texts {
            poll: unique("of the body"),
            drop: unique("of the destructor of the body"),
            clean_up: unique("of the clean-up"),
            clean_up_drop: unique("of the destructor of the clean-up"),
        };
        let expected = expect(scene, &texts);
        let seen = see(rt, scene, &texts, &expected).await;
        assert_eq!(seen, expected, "seen, expected, in {scene:?}");
    }
    assert_eq!(scenes.len(), count, "so many combinations");
}

/// The poll of the body panics, its destructor does, or both do.
pub async fn in_bodies<R: Runtime>(rt: R) {
    let only_bodies = |scene: &Scene| !scene.clean_up && !scene.clean_up_drop;
    all(&rt, only_bodies, 95).await;
}

/// Clean-ups do, beside them.
pub async fn in_clean_ups<R: Runtime>(rt: R) {
    let clean_ups = |scene: &Scene| scene.clean_up || scene.clean_up_drop;
    all(&rt, clean_ups, 86).await;
}
