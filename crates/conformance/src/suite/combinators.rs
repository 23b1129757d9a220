//! The list of the cases of combinators over several futures, and of channels.

/// Certifies the combinators and the channels on a runtime; see [`suite!`](crate::suite).
///
/// They are core's, and the same everywhere; what differs is who wakes, when, and from which thread.
///
/// # Examples
///
/// ```
/// kumi_conformance::combinator_suite!(mod combinators, || kumi_sim::Sim::new());
/// ```
#[macro_export]
macro_rules! combinator_suite {
    (mod $name:ident, $harness:expr $(,)?) => {
        $crate::__tests! { $name, $harness, Runtime;
            channels {
                many_to_many,
                a_full_channel_makes_senders_wait,
                in_a_cancelled_scope,
                receivers_that_give_up,
                senders_that_give_up,
                the_other_end_goes,
                a_busy_channel_starves_nobody,
                threads_take_part if ForeignThreads,
                a_queue_and_its_workers,
                a_queue_is_shut_down,
                other_orders,
                a_reservation_is_kept,
            }
            told {
                a_oneshot if ForeignThreads,
                a_oneshot_that_never_comes,
                work_for_a_oneshot_ends,
                a_oneshot_in_clean_ups,
                a_watch,
                a_watch_for_a_condition,
                a_broadcast,
                those_who_give_up,
                a_busy_broadcast_starves_nobody,
            }
            gather {
                outputs_are_in_order,
                every_container,
                nothing_at_once,
                children_may_borrow,
                in_a_task,
                errors_are_outputs,
                the_cancel_of_a_child_is_an_outcome,
                cancelled_from_outside,
                outputs_beat_a_cancel_in_the_same_poll,
                a_child_is_dropped_as_soon_as_it_has_finished,
                dropped_at_every_poll,
                a_child_panics,
                a_destructor_panics,
                polled_after_it_was_ready,
                many_ready_children,
                nested,
                with_foreign_combinators,
            }
            gather_wakes {
                only_the_woken_in_order,
                many_wakes_are_one_poll,
                a_spurious_poll,
                a_tuple_polls_the_pending,
                a_finished_child_is_woken,
                wakes_during_a_poll,
                the_waker_of_the_parent_is_replaced,
                a_waker_outlives_the_gather,
                the_waker_of_the_parent_panics,
                wakers_are_ordinary,
                from_other_threads if ForeignThreads,
            }
            try_gather {
                values_in_order,
                children_may_borrow,
                an_error_ends_the_others,
                two_errors_in_one_poll,
                the_others_are_unwound,
                a_tuple_is_unwound,
                an_uncancellable_child_ends,
                cancelled_from_outside,
                cancelled_while_it_unwinds,
                an_error_beside_a_cancel,
                a_limit_expires_while_it_unwinds,
                tasks_among_the_children,
                a_child_panics,
                a_clean_up_panics,
                dropped_while_it_unwinds,
                polled_after_it_was_ready,
                in_each_other,
                with_foreign_combinators,
            }
            race {
                the_first_wins,
                nothing_at_once,
                several_are_ready,
                only_the_woken,
                the_losers_are_unwound,
                an_uncancellable_loser_ends,
                tasks_among_the_children,
                cancelled_from_outside,
                a_winner_beside_a_cancel,
                a_loser_woken_beside_the_winner,
                limits,
                a_child_panics,
                a_clean_up_panics,
                dropped_at_every_poll,
                polled_after_it_was_ready,
                in_each_other,
                with_foreign_combinators,
                from_other_threads if ForeignThreads,
            }
            race_ok {
                the_first_success_or_all_errors,
                the_losers_are_unwound,
            }
            spawned {
                in_order,
                twelve,
                of_nothing,
                an_error_cancels_the_others,
                losers_are_unwound,
                the_first_success,
                late_values_are_dropped,
                a_child_is_cancelled,
                ten_thousand,
                one_wake_for_all,
                is_send,
                in_parallel if ParallelTasks,
            }
            spawned_cancel {
                a_child_panics,
                a_panic_beside_a_decision,
                two_children_panic,
                cancelled_from_outside,
                a_limit_around_it,
                cancels_go_all_the_way_down,
                values_in_spite_of_a_cancel,
                does_not_begin_in_a_cancelled_scope,
                does_nothing_until_polled,
                dropped,
                a_child_panics_after_the_drop,
                forgotten,
                a_finished_child_is_dropped,
                polled_after_ready,
                moved_to_another_task,
            }
            one_by_one {
                outcomes_as_they_come,
                they_go_on_by_themselves,
                never_more_than_the_limit,
                gathered_with_a_limit,
                an_error_under_a_limit,
                a_limit_that_comes_too_late,
                waited_for,
                a_cancelled_child_is_an_outcome,
                a_child_panics,
                dropped_in_the_middle,
                a_pause_in_a_cancelled_scope,
                cancelled_from_outside,
                is_send,
                in_parallel if ParallelTasks,
            }
            as_completed {
                outputs_come_as_they_finish,
                indexed_tells_which,
                a_tuple,
                nothing_at_all,
                only_the_woken_are_polled,
                dropping_next_loses_nothing,
                a_pause_loses_nothing,
                a_finished_child_is_dropped,
                dropped_in_the_middle,
                never_more_than_the_limit,
                the_source_is_drawn_on_demand,
                a_stream_of_futures,
                a_ready_source_starves_no_child,
                many_ready_children,
                a_child_panics,
                cancelled_from_outside,
                an_output_after_a_cancel,
                tasks_as_members,
                woken_from_other_threads if ForeignThreads,
            }
            programs {
                what_comes_out_is_known,
            }
            for_each {
                every_output_once,
                children_run_while_the_body_waits,
                a_stream_would_stall,
                a_slow_body_holds_the_source_back,
                an_error_unwinds_the_rest,
                cancelled_in_the_body,
                an_output_after_a_cancel,
                many_ready_children,
            }
            in_flight {
                outputs_in_order,
                one_at_a_time,
                shapes,
                an_error_draws_no_more,
                an_iterator_without_end,
                of_nothing,
                zero_panics,
                after_the_first_poll_panics,
                many,
                many_ready,
                an_error_while_others_end,
                members_that_never_rest,
                members_that_never_rest_beside_another,
            }
            wait {
                all_completed,
                a_tuple,
                first_completed,
                first_error,
                those_that_finish_together,
                pending_is_waited_on_again,
                of_nothing,
                a_timeout_ends_no_member,
                borrowed_members,
                ten_thousand_waits_leave_nothing,
                outcomes_of_tasks,
                dropped,
                a_timeout_of_zero_looks_once,
                many_ready_members,
                a_timeout_of_zero_looks_at_all,
            }
        }
    };
}
