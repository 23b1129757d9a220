//! The macro: the list of all scenarios, and how it becomes tests.

/// Cancels the scenarios of this crate at every await, in every way, on a runtime: expands to a module
/// with one test per scenario. See [`everywhere`](crate::everywhere).
///
/// Takes the name of the module and a [`Harness`](crate::Harness). With `counted` as third argument,
/// a scenario that has fewer points than are recorded fails; the numbers are those of a runtime that
/// runs tasks on one thread, in the order in which they were woken.
///
/// # Examples
///
/// ```
/// kumi_conformance::everywhere_suite!(mod everywhere, || kumi_sim::Sim::new());
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! everywhere_suite {
    (mod $name:ident, $harness:expr $(, $counted:ident)? $(,)?) => {
        $crate::__everywhere! { $name, $harness, [$($counted)?];
            regions {
                one: 6,
                nested: 8,
                in_a_row: 13,
                only_on_cancel: 4,
                a_rich_clean_up: 8,
                a_clean_up_whose_limit_expires: 6,
                both_or_none: 5,
                uncancellable_in_a_clean_up: 7,
                finishes_early: 6,
                in_a_foreign_join: 6,
                in_a_foreign_set: 5,
                dropped_by_a_foreign_select: 6 (Everywhere::may_lose),
                a_clean_up_panics: 5 (|it| panics(it).may_panic("a clean-up of a scenario")),
                a_body_panics: 7 (panics),
                entered_late: 9,
                a_crowd: 4,
            }
            brackets {
                one: 6,
                nested: 10,
                the_use_fails: 6,
                the_use_panics: 5 (panics),
                in_a_task: 3,
                a_stack: 12,
                a_stack_that_is_handed_on: 4,
                a_release_fails: 6 (fails),
                a_stack_and_a_bracket: 8,
            }
            scopes {
                one_cancels_itself: 5,
                the_middle_one_is_cancelled: 7,
                cancelled_by_a_task: 4,
                a_limit_expires: 5,
                a_limit_is_kept: 6,
                limits_in_each_other: 5,
                a_limit_is_moved: 6,
                behind_a_shield: 8,
                a_shield_is_lowered: 8,
                a_busy_loop: 303,
                asks: 7,
                a_value_of_the_task: 5,
            }
            tasks {
                one: 3,
                cancelled_and_joined: 5,
                a_handle_is_dropped: 4,
                detached: 3,
                a_chain: 3,
                a_task_panics: 3 (panics),
                shielded: 4,
                shielded_and_awaited_again: 4,
                shielded_and_failed: 3 (fails),
                blocking: 5,
                two_beside_each_other: 5,
            }
            groups {
                children: 5,
                a_child_fails: 5 (fails),
                the_body_fails: 4 (fails),
                a_child_panics: 6 (panics),
                in_each_other: 3,
                with_a_limit: 3,
                in_the_background: 5,
                a_handshake: 5,
                supervised: 3,
                cancelled_by_itself: 5,
                in_a_clean_up: 4,
                under_a_limit: 5,
                siblings: 4,
                in_place: 2 local,
                a_child_in_place_fails: 4 (fails),
                all_together: 4,
            }
            combine {
                gather_of_regions: 7,
                gather_of_a_tuple: 6,
                an_error_unwinds: 7,
                a_loser_releases: 6,
                the_first_success: 6,
                in_each_other: 9,
                in_a_task: 3,
                with_uncancellable_children: 8,
                with_a_panic: 4 (|it| panics(it).may_lose()),
                in_a_clean_up: 11,
                dropped_by_a_foreign_select: 5 (Everywhere::may_lose),
                a_crowd: 6,
            }
            spawned {
                gathered: 8,
                a_tuple: 10,
                one_fails: 9,
                raced: 9,
                raced_for_a_success: 9,
                one_panics: 7 (panics),
                one_is_cancelled: 8,
                one_by_one: 5,
                with_a_limit: 8,
                waited_for: 4,
                in_each_other: 11,
            }
            channels {
                a_pipeline: 8,
                a_rendezvous: 10,
                receivers_that_give_up: 6,
                a_line_of_senders: 4,
                reservations: 4,
                a_queue_and_workers: 4,
                a_queue_is_shut_down: 5,
                sent_in_a_clean_up: 5,
                a_oneshot: 2,
                a_watch: 5,
                a_broadcast: 6,
            }
        }
    };
}

/// A module of tests from the list of scenarios.
#[doc(hidden)]
#[macro_export]
macro_rules! __everywhere {
    ($name:ident, $harness:expr, $counted:tt; $(
        $subject:ident { $( $scenario:ident: $points:literal $($local:ident)? $(($set:expr))? ),* $(,)? }
    )*) => {
        mod $name {
            mod harness {
                #[allow(unused_imports, reason = "the harness may be a path or use names from outside")]
                use super::super::*;

                pub(super) fn make() -> impl $crate::Harness<Runtime: $crate::bounds::Runtime> {
                    $harness
                }
            }

            $(
                mod $subject {
                    #[allow(unused_imports, reason = "not every subject has special settings")]
                    use $crate::everywhere::{Everywhere, certify::{fails, panics}};

                    $(
                        #[test]
                        fn $scenario() {
                            let everywhere = Everywhere::new(
                                concat!(stringify!($subject), "::", stringify!($scenario)),
                            );
                            let everywhere = $crate::__counted!(everywhere, $points, $counted);
                            $( let everywhere = ($set)(everywhere); )?
                            $crate::__certify!(
                                everywhere,
                                super::harness::make,
                                $crate::everywhere::scenarios::$subject::$scenario
                                $(, $local)?
                            );
                        }
                    )*
                }
            )*
        }
    };
}

/// Sets the recorded number of points, if they are counted.
#[doc(hidden)]
#[macro_export]
macro_rules! __counted {
    ($everywhere:ident, $points:literal, []) => {
        $everywhere
    };
    ($everywhere:ident, $points:literal, [counted]) => {
        $everywhere.points($points)
    };
}

/// Runs one scenario.
#[doc(hidden)]
#[macro_export]
macro_rules! __certify {
    ($everywhere:ident, $make:path, $scenario:path) => {
        $crate::everywhere::certify::rounds($everywhere, $make, $scenario)
    };
    ($everywhere:ident, $make:path, $scenario:path, local) => {
        $crate::everywhere::certify::rounds_local($everywhere, $make, $scenario)
    };
}
