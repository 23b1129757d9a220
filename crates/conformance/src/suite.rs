//! The macros: the list of all cases, and how a list becomes tests.

mod combinators;

/// Certifies a runtime: expands to a module with one test per case.
///
/// Takes the name of the module and a [`Harness`](crate::Harness), usually a function that makes a
/// runtime. See the [crate's docs](crate).
///
/// # Examples
///
/// ```
/// kumi_conformance::suite!(mod the_simulator, || kumi_sim::Sim::new());
/// ```
#[macro_export]
macro_rules! suite {
    (mod $name:ident, $harness:expr $(,)?) => {
        $crate::__tests! { $name, $harness, Runtime;
            spawn {
                returns_its_value,
                is_not_run_inside_spawn,
                is_not_run_inside_the_spawn_of_a_task,
                may_be_called_inside_a_waker,
                tasks_spawn_tasks,
                ten_thousand_tasks,
                a_greedy_task_starves_no_task,
                a_greedy_task_does_not_starve_main,
                a_greedy_main_starves_no_task,
                two_greedy_tasks_take_turns,
                futures_of_any_layout,
                names_numbers_and_places,
                a_parked_task_is_left_alone,
                handles_are_send_and_sync,
            }
            join {
                three_outcomes,
                an_error_is_a_value,
                the_cancellation_of_a_child_stays_there,
                awaiting_by_reference_loses_nothing,
                polling_after_ready_panics,
                is_finished_tells,
                the_output_waits,
                joined_in_reverse,
                the_waker_of_the_joiner_is_replaced,
                the_joiner_is_woken,
                a_dropped_handle_releases_its_waker,
                the_future_is_gone_when_the_joiner_is_told,
                a_joiner_whose_waker_panics,
                a_panic_can_be_passed_on,
            }
            cancel {
                before_the_first_poll,
                while_parked,
                without_a_waker,
                the_value_wins,
                the_value_wins_when_both_are_due,
                is_idempotent,
                after_the_end,
                is_a_request,
                of_oneself_then_waiting,
                of_oneself_then_returning,
                cancel_and_join_waits,
                cancel_and_join_dropped,
                by_dropping_the_handle,
                a_detached_task_runs_on,
                by_a_reference,
                by_another_task,
                passes_to_owned_tasks,
                of_a_greedy_task,
                during_its_poll,
            }
            panic {
                is_contained,
                the_payload_reaches_the_joiner,
                others_go_on,
                the_future_is_dropped,
                the_frame_is_restored,
                in_the_drop_of_a_cancelled_future,
                in_the_drop_of_a_finished_future,
                in_the_drop_of_a_panicked_future,
                in_the_drop_of_the_output,
                that_nobody_joins_is_reported,
                that_was_joined_is_not_reported,
                of_main_leaves_block_on(fresh),
            }
            drop {
                the_future_is_dropped_inside_its_task,
                wakers_and_references_keep_no_future,
                the_output_goes_with_the_handle,
                the_output_of_a_detached_task,
                the_output_after_a_dropped_handle,
                a_destructor_may_spawn,
                a_destructor_may_touch_its_own_task,
                a_task_may_own_its_handle,
                two_tasks_may_own_each_other,
            }
            wake {
                wakes_a_parked_task,
                does_not_run_the_task,
                during_the_poll,
                many_wakes_are_few_polls,
                after_the_end,
                wakers_may_come_and_go,
                through_a_foreign_combinator,
                ping_pong,
            }
            clock {
                now_is_monotonic,
                a_sleep_is_never_early,
                a_sleep_that_is_polled_all_the_time if RealTime,
                a_sleep_in_a_task,
                sleeps_end_in_order,
                no_sleep_at_all,
                a_sleep_from_a_known_time,
                the_longest_sleep,
                the_deadline_is_told,
                reset_to_earlier,
                reset_to_later,
                reset_to_the_past,
                reset_after_it_was_ready,
                reset_before_the_first_poll,
                reset_many_times,
                a_dropped_sleep_leaves_nothing,
                the_waker_is_replaced,
                made_outside(fresh),
                on_a_foreign_thread if ForeignThreads,
                reset_by_a_foreign_thread if ForeignThreads,
                a_thousand_sleeps,
                greedy_tasks_starve_no_timer if RealTime,
                a_sleeping_task_is_cancelled,
            }
            scope {
                gives_the_value,
                ends_its_body,
                keeps_the_first_reason,
                is_cancelled_from_any_thread if ForeignThreads,
                cancelled_before_it_is_entered,
                after_the_end_nothing_is_cancelled,
                the_outer_one_reports,
                the_inner_one_reports,
                the_value_of_the_body_wins,
                a_body_cancels_its_own_scope,
                in_a_cancelled_task,
                a_panic_goes_through,
                a_shield_hides_what_is_outside,
                a_shielded_one_reports,
                a_lowered_shield_wakes_the_blocked,
                a_raised_shield_hides,
                between_two_shields,
                a_thousand_nested,
                through_a_foreign_join,
                through_a_foreign_set,
                moved_to_another_task,
                leaves_no_residue,
            }
            deadline {
                a_deadline_ends_it,
                a_deadline_that_has_passed,
                the_value_beats_the_deadline,
                the_longest_time,
                a_cancel_before_the_deadline,
                moved_earlier,
                moved_later,
                moved_before_and_from_inside,
                is_not_taken_back,
                due_together,
                due_together_with_a_shield_between,
                the_effective_one,
                grace,
                grace_that_suffices,
                no_grace,
                grace_under_a_cancel_from_outside,
            }
            timeout {
                in_time,
                too_late,
                the_future_is_dropped_first,
                a_value_beats_the_expiry,
                no_time_at_all,
                no_limit,
                rescheduled,
                on_a_handle_by_reference,
                on_a_handle,
                nested,
            }
            limit {
                due_together,
                both_overdue,
                due_together_with_a_clean_up,
                overtaken_during_the_clean_up,
                a_cancel_beside_the_expiry,
                a_cancelled_task_beside_the_expiry,
                a_task_cancelled_during_the_clean_up,
                a_cancel_inside,
                leaves_no_residue,
                waits_for_the_clean_up,
                an_error_passes_through,
                a_value_in_spite_of_the_expiry,
                a_panic_goes_through,
                counts_from_the_first_poll,
                rescheduled_into_the_past,
                rescheduled_to_never,
                not_rescheduled_after_the_expiry,
                a_dropped_limit_leaves_nothing,
                inside_a_clean_up,
                in_a_foreign_set,
                many_at_the_same_time,
            }
            uncancellable {
                the_cancel_waits,
                the_value_wins,
                code_inside_is_told,
                does_not_begin_in_a_cancelled_scope,
                scopes_inside_work,
                inside_of_a_shield,
                a_panic_goes_through,
                dropped_from_outside,
                side_by_side,
                moved_to_another_scope,
                without_a_cancel,
            }
            bracket {
                acquires_uses_and_releases,
                releases_however_the_use_ends,
                from_the_inside_out,
                acquiring_is_cancelled_or_fails,
                acquired_in_a_cancelled_scope,
                a_release_that_panics,
                a_release_that_fails,
                dropped_at_every_stage(fresh),
                dropped_by_a_select(fresh),
                a_release_that_was_handed_over_fails(fresh),
                cut_by_the_grace,
                outside_of_any_runtime(fresh),
                forgotten,
            }
            exit_stack {
                last_first_however_it_ends,
                errors_are_kept,
                errors_after_a_cancel_are_reported,
                a_release_that_panics,
                a_body_that_gives_up,
                popped,
                a_cancel_waits_for_close,
                dropped_from_outside(fresh),
                dropped_without_close(fresh),
                cut_by_the_grace,
                ten_thousand,
                outside_of_any_runtime(fresh),
                forgotten,
            }
            checkpoint {
                gives_way_once,
                ends_a_cancelled_scope,
                the_budget_is_fresh_in_each_poll,
                the_budget_is_shared_inside_of_a_task,
                an_always_ready_loop,
                outside_of_tasks(fresh),
                joining_in_a_cancelled_scope,
                joining_costs_one,
                listeners_are_told,
                a_listener_comes_and_goes,
                who_is_concerned,
            }
            locals {
                inside_of_its_scope,
                nested,
                inherited_by_tasks,
                inherited_by_closures,
                later_values_are_not_seen,
                each_sees_its_own,
                restored_after_a_panic,
                a_missing_value,
                dropped_after_the_last,
                inside_of_scopes_and_clean_ups,
            }
            regions {
                finally_runs_however_it_ends,
                on_cancel_runs_only_after_a_cancel,
                from_the_inside_out,
                the_clean_up_is_shielded,
                a_panic_of_a_clean_up,
                several_panics,
                a_panic_goes_on_at_the_cancelled_scope,
                an_error_is_reported,
                a_dropped_region_is_reported,
                begins_in_a_cancelled_scope,
                a_cancel_during_the_clean_up,
                the_scope_waits_for_the_slowest,
                siblings_of_one_that_panics,
                a_destructor_of_the_body_panics,
                a_destructor_of_the_clean_up_panics,
                moved_to_another_scope,
                moved_to_another_task,
                without_waiting_longer_than_needed,
            }
            blocking {
                returns_its_value,
                is_not_run_inside_spawn,
                a_panic_is_contained,
                has_a_name,
                the_ambient_runtime_is_found,
                runs_beside_tasks if ParallelBlocking,
                two_run_at_once if ParallelBlocking,
                cancelled_before_it_starts,
                cancelled_after_it_started if ParallelBlocking,
                the_handle_dropped_after_it_started if ParallelBlocking,
                detached,
                may_block_on_its_runtime if ConcurrentBlockOn,
            }
            ambient {
                inside_a_task,
                inside_main,
                each_task_finds_itself,
                through_a_foreign_combinator,
                nothing_outside(fresh),
                nothing_on_a_thread_of_its_own if ForeignThreads,
                two_runtimes(fresh),
                a_wake_across_runtimes(fresh),
                joined_across_runtimes(fresh),
            }
            block_on {
                may_borrow_and_need_not_be_send(fresh),
                tasks_stay_between_calls(fresh),
                waits_for_its_future_only(fresh),
                its_future_is_dropped(fresh),
                inside_a_task_panics,
                inside_itself_panics(fresh),
                is_woken_by_another_thread if ForeignThreads,
                on_two_threads_at_once(fresh) if ConcurrentBlockOn,
            }
            live {
                tasks_are_visited,
                a_detached_task_is_visited,
                a_blocking_closure_is_visited,
                a_running_closure_is_visited if ParallelBlocking,
                visiting_may_cancel_and_spawn,
                idle_means_no_task,
                the_last_task_wakes_the_watcher,
                a_new_task_wakes_the_watcher,
                an_idle_runtime_keeps_no_waker,
            }
            run {
                returns_mains_value(fresh),
                leftovers_are_ended(fresh),
                leftovers_that_never_ran(fresh),
                late_comers_are_ended(fresh),
                a_leftover_that_returns_a_value(fresh),
                greedy_leftovers_are_ended(fresh),
                main_is_dropped_first(fresh),
                mains_panic_goes_on_after_the_drain(fresh),
                a_leftover_that_panics(fresh),
                an_endless_grace_period(fresh),
                waits_for_a_closure(fresh) if ParallelBlocking,
                a_closure_that_outlasts_the_grace(fresh) if ParallelBlocking,
                inside_a_task_panics,
            }
            shutdown {
                parked_tasks_are_dropped(fresh),
                queued_tasks_are_dropped(fresh),
                greedy_tasks_are_dropped(fresh),
                detached_tasks_are_dropped(fresh),
                tasks_are_dropped_inside_themselves(fresh),
                a_joiner_on_another_thread(fresh),
                spawned_afterwards(fresh),
                blocking_spawned_afterwards(fresh),
                is_idempotent(fresh),
                wakers_that_outlive_it(fresh),
                handles_that_outlive_it(fresh),
                sleeps_that_outlive_it(fresh),
                a_lost_task_is_reported(fresh),
                what_destructors_spawn_is_dropped(fresh),
                does_not_wait_for_closures(fresh) if ParallelBlocking,
                a_long_chain_is_dropped(fresh),
                a_panicking_destructor(fresh),
                inside_main,
                inside_a_task(fresh),
                by_another_thread(fresh) if ForeignThreads,
                dropped_on_another_thread(fresh) if ForeignThreads,
                spawned_meanwhile(fresh) if ForeignThreads,
                after_a_panic_of_main(fresh),
            }
            threads {
                wake if ForeignThreads,
                ping_pong if ForeignThreads,
                ping_pong_with_main if ForeignThreads,
                one_waker_on_many_threads if ForeignThreads,
                cancel if ForeignThreads,
                drop_the_handle if ForeignThreads,
                cancel_races_with_the_end if ForeignThreads,
                the_handle_races_with_the_end if ForeignThreads,
                join if ForeignThreads,
                spawn if ForeignThreads,
                spawn_into_a_sleeping_runtime if ForeignThreads,
                a_value_there_and_back if ForeignThreads,
                spawn_between_drives(fresh) if ForeignThreads,
            }
            group {
                waits_for_children,
                without_children,
                handles,
                an_error_cancels_the_siblings,
                an_error_cancels_the_body,
                errors_in_order,
                the_body_fails,
                a_child_panics,
                the_body_panics,
                a_cancelled_child_is_no_failure,
                the_handle_of_a_failed_child,
                spawn_while_waiting,
                nested,
                supervised,
                background,
                limited,
                many_children,
                a_limit_of_zero,
                in_a_task,
            }
            group_cancel {
                cancelled_by_its_handle,
                leaves_no_residue,
                cancelled_from_outside,
                a_timeout_around_it,
                an_error_beside_a_cancel,
                cancels_go_all_the_way_down,
                spawn_into_a_cancelled_group,
                a_timeout_around_spawn,
                limited_and_cancelled,
                dropped,
                forgotten,
                cancelling_is_linear,
            }
            start {
                gives_the_value,
                fails_before,
                ends_before,
                fails_after,
                the_starter_is_cancelled,
                the_starter_is_dropped,
                keeps_the_group_open,
            }
            inplace {
                children_may_borrow,
                handles,
                only_the_woken_are_polled,
                an_error_cancels_the_others,
                a_child_panics,
                one_child_is_cancelled,
                cancelled_from_outside,
                cancelled_by_its_handle,
                dropped,
                many_ready_children,
                in_a_task,
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
            shield {
                the_outcome_passes,
                survives_its_awaiters,
                survives_the_task,
                the_work_is_cancelled,
                an_error_that_nobody_takes,
                drops_once,
            }
            algebra {
                a_scope_in_a_scope,
                a_deadline_in_a_scope,
                a_scope_in_a_deadline,
                a_deadline_in_a_deadline,
                a_limit_in_a_scope,
                a_scope_in_a_limit,
                a_limit_in_a_limit,
                a_shielded_scope_in_a_scope,
                a_shielded_scope_in_a_deadline,
                a_child_of_a_group,
                a_child_beside_a_body,
                a_child_that_is_joined,
                shielded_work,
            }
            erased {
                tasks,
                cancelling,
                time,
                closures,
                the_ambient_runtime,
                from_start_to_end(fresh),
            }
        }
    };
}

/// Certifies the local tasks of a runtime that implements
/// [`SpawnLocal`](kumi_core::runtime::SpawnLocal); see [`suite!`](crate::suite).
///
/// # Examples
///
/// ```
/// kumi_conformance::local_suite!(mod local_tasks_of_the_simulator, || kumi_sim::Sim::new());
/// ```
#[macro_export]
macro_rules! local_suite {
    (mod $name:ident, $harness:expr $(,)?) => {
        $crate::__tests! { $name, $harness, SpawnLocal;
            local {
                runs,
                is_not_run_inside_spawn,
                stays_on_its_thread,
                many_share_a_cell,
                take_turns_with_others,
                finds_itself,
                cancelled_before_the_first_poll,
                is_dropped_at_home if ForeignThreads,
                is_woken_from_another_thread if ForeignThreads,
                a_panic_is_contained,
                elsewhere_it_panics if ForeignThreads,
                is_dropped_at_the_shutdown(fresh),
                is_ended_by_a_run(fresh),
                stay_between_calls(fresh),
            }
        }
    };
}

/// Certifies the descriptors of a runtime that implements [`Io`](kumi_core::runtime::Io), and the
/// sockets of core on them; see [`suite!`](crate::suite).
///
/// It uses loopback connections, Unix sockets and the resolver for `localhost`.
#[cfg(unix)]
#[macro_export]
macro_rules! io_suite {
    (mod $name:ident, $harness:expr $(,)?) => {
        $crate::__tests! { $name, $harness, Io;
            io {
                reads_what_is_there,
                a_reader_is_woken,
                main_is_woken if ForeignThreads,
                errors_are_handed_out,
                a_panic_of_the_operation,
                a_writer_is_woken if ForeignThreads,
                both_directions_at_once if ForeignThreads,
                the_waker_is_replaced,
                a_waiting_task_is_cancelled,
                dropping_it_closes_the_descriptor,
                many_descriptors,
                a_regular_file_is_refused,
                on_a_foreign_thread if ForeignThreads,
                after_the_shutdown(fresh) if OwnReactor,
                waiting_at_the_shutdown(fresh) if OwnReactor,
                the_ambient_runtime_has_it,
            }
            readiness {
                ready_wakes_all,
                a_dropped_ready_loses_nothing,
                poll_io_and_ready_side_by_side,
                try_io_tries_once,
                ready_waits_after_would_block,
                drained_means_nothing_more,
                more_means_more,
                the_end_is_readable,
                the_end_after_a_drained_read,
                an_event_during_the_operation if ForeignThreads,
            }
            net {
                echo,
                a_refused_connection,
                an_address_in_use,
                half_close,
                many_connections,
                vectored,
                reads_into_uninitialised_memory,
                dropping_closes,
                without_delay,
                reads_and_writes_at_once,
                buffers_of_any_size,
                a_dropped_accept_loses_nothing,
                a_waiting_accept_is_cancelled,
                everything_is_send,
                look_up,
                connects_by_name,
                after_the_shutdown(fresh) if OwnReactor,
            }
        }
    };
}
