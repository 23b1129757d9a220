//! The list of the cases of combinators over several futures.

/// Certifies the combinators on a runtime; see [`suite!`](crate::suite).
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
            as_completed {
                outputs_come_as_they_finish,
                indexed_tells_which,
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
                tasks_as_members,
                woken_from_other_threads if ForeignThreads,
            }
            for_each {
                every_output_once,
                children_run_while_the_body_waits,
                a_stream_would_stall,
                a_slow_body_holds_the_source_back,
                an_error_unwinds_the_rest,
                cancelled_in_the_body,
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
            }
            wait {
                all_completed,
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
            }
        }
    };
}
