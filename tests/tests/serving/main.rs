//! The builder of servers: each test runs once for each adapter, over real sockets.
//!
//! Its name is `adapter::topic::test`. What concerns a whole process runs this program once more, as a child.
#![cfg(unix)]

mod ending;
mod listening;
mod parts;

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
}
