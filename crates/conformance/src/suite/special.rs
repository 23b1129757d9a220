//! The suites of what not every runtime has: local tasks, descriptors.

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
                share_a_channel,
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
            net_options {
                settings_of_a_connection,
                a_local_address,
                several_addresses,
                listeners_share_a_port,
                accepted_without_delay,
                incoming,
                many_accept,
                a_socket_of_ones_own,
                back_to_the_standard_library if ForeignThreads,
                peek,
                try_once,
                halves,
                reunited_halves,
                a_reset_is_an_error,
                writing_to_nobody_is_an_error,
                numbers_are_used_again,
                a_greedy_reader_gives_way,
            }
            net_udp {
                echo,
                one_peer,
                by_polling,
                peek,
                of_any_length,
                a_dropped_receive_loses_nothing,
                many_receive,
                operations_of_ones_own,
                a_refusal_is_told,
                of_the_standard_library,
                settings,
                multicast,
                a_greedy_sender_gives_way,
                everything_is_send,
            }
            net_unix {
                echo,
                incoming,
                paths_that_do_not_work,
                abstract_names,
                a_full_queue_is_waited_for,
                a_pair,
                of_the_standard_library,
                a_waiting_accept_is_cancelled,
                datagrams,
                datagrams_by_polling,
                datagrams_wait_for_room,
            }
            net_faults {
                accept_waits_after_an_error,
                the_pause_has_an_end,
                incoming_goes_on_after_an_error,
                a_careless_server_does_not_spin,
                failed_connections_are_passed_over,
                endless_failed_connections_do_not_spin,
                interruptions_are_not_handed_out,
                errors_of_transfers_are_handed_out,
                a_reader_that_ignores_errors_can_be_cancelled,
                connecting_has_a_time_limit,
                connecting_times_out,
                a_slow_resolver_stops_nobody,
                a_dropped_look_up,
            }
            erased_io {
                descriptors,
                tcp,
                udp,
                unix,
            }
        }
    };
}
