//! The builder of servers: each test runs once for each adapter, over real sockets.
//!
//! Its name is `adapter::topic::test`. What concerns a whole process runs this program once more, as a child.
#![cfg(target_os = "linux")]

mod admission;
mod ending;
mod listening;
mod options;
mod parts;
mod processes;
mod threads;

macro_rules! suite {
    ($($topic:ident: $($test:ident)+;)+) => {
        suite!(@ tokio Tokio; $($topic: $($test)+;)+);
        suite!(@ smol Smol; $($topic: $($test)+;)+);
        suite!(@ std Std; $($topic: $($test)+;)+);
    };
    (@ $name:ident $adapter:ident; $($topic:ident: $($test:ident)+;)+) => {
        mod $name {
            $(mod $topic {
                $(#[test]
                fn $test() {
                    crate::$topic::$test::<sinew_tests::$adapter>();
                })+
            })+
        }
    };
}

suite! {
    listening:
        on_several_sockets_at_once
        on_nothing_is_an_error
        on_a_busy_port_is_an_error
        on_a_busy_port_is_an_error_for_workers_too
        on_both_families
        on_a_unix_socket
        a_file_that_was_left_is_replaced
        a_unix_socket_of_a_living_server_stays
        a_unix_socket_is_removed_at_every_end;
    ending:
        spawn_returns_when_it_listens
        the_handle_can_be_dropped
        the_handle_is_a_future
        waiting_has_a_bound
        abort_drops_what_is_in_flight
        a_shutdown_right_after_spawn_loses_nobody
        nothing_listens_once_it_has_ended
        a_signal_that_panics_is_an_error
        the_application_is_dropped_with_the_server
        a_server_that_is_awaited_no_more_shuts_down;
    threads:
        one_worker_is_one_thread
        two_workers_share_the_connections
        workers_lose_nobody
        a_handler_that_blocks_a_worker_holds_up_no_end;
    admission:
        who_is_over_waits
        a_limit_is_exact_over_sockets_and_workers
        who_is_over_is_refused
        a_refused_upload_reads_its_answer
        half_a_refused_head_is_closed_soon
        too_many_refused_ones_are_closed
        a_limit_for_each_address
        every_place_is_given_back
        a_websocket_keeps_its_place
        a_shutdown_while_it_is_full
        figures_are_exact;
    options:
        timeouts_are_those_of_the_connections
        limits_are_those_of_the_connections
        nodelay_is_set_or_not
        a_full_pool_queues_and_then_refuses;
    processes:
        a_first_signal_is_graceful
        a_second_signal_is_not
        a_second_server_heeds_its_first_signal
        sockets_of_the_service_manager
        without_descriptors_it_pauses
        threads_end_with_the_server
        ten_thousand_that_stay
        half_a_start_leaves_nothing;
}
