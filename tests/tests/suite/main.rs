//! The suite: each test below runs once for each adapter, over real sockets.
//!
//! Its name is `adapter::topic::test`; `cargo test -p sinew-tests smol::` runs those of one adapter,
//! `cargo test -p sinew-tests ::framing::` those of one topic.

mod blocking;
mod bodies;
mod crowds;
mod curl;
mod deadlines;
mod events;
mod expect;
mod faults;
mod framing;
mod hyper;
mod malformed;
mod pressure;
mod shutdown;

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
    framing:
        pipelined_in_one_write
        pipelined_byte_by_byte
        pipelined_with_bodies
        a_slow_handler_does_not_reorder
        a_request_cut_in_two_anywhere
        http10_closes_unless_asked
        http10_streams_until_the_close
        head_has_the_fields_of_get
        some_statuses_have_no_body
        close_is_honoured
        connection_options_are_one_list
        upgrades_nobody_offered_are_ignored
        names_keep_their_case
        trailers_are_not_fields;
    malformed:
        whole
        split;
    bodies:
        a_small_unread_body_is_thrown_away
        a_huge_unread_body_closes
        a_body_is_never_a_request
        an_echo_in_every_framing
        each_piece_goes_out_at_once
        a_known_length_is_told
        a_failing_body_breaks_off
        a_body_against_its_length_breaks_off
        framing_fields_of_the_application_are_refused
        a_broken_upload_reaches_the_handler;
    pressure:
        an_upload_nobody_reads_stops
        a_download_nobody_reads_stops
        a_client_that_leaves_ends_the_body
        pipelining_is_bounded;
    expect:
        sent_when_the_handler_reads
        sent_late_when_the_handler_reads_late
        sent_for_an_echo
        not_sent_when_nobody_reads
        not_sent_when_the_body_is_there
        not_sent_to_http10;
    blocking:
        the_loop_goes_on
        it_reads_and_writes_with_plain_calls
        a_panic_is_a_500
        waiting_for_a_client_holds_up_nobody;
    deadlines:
        a_head_without_end
        a_head_that_trickles
        idle_closes_without_a_word
        a_body_that_trickles
        a_handler_has_all_the_time
        a_held_body_is_not_slow
        a_reader_that_stops
        a_peer_that_lingers;
    events:
        they_arrive_one_by_one
        comments_break_the_silence
        the_last_event_id_is_read
        a_client_that_leaves_drops_the_stream
        a_client_that_vanishes_is_found_out
        a_client_that_does_not_read_stops_the_stream
        shutdown_ends_them_at_once
        a_handler_learns_of_the_shutdown;
    shutdown:
        idle_connections_close
        a_request_in_flight_is_finished
        a_stream_in_flight_is_finished
        nobody_is_accepted_afterwards
        a_handler_without_end_is_dropped
        a_request_sent_before_the_signal_is_answered
        a_connection_made_before_the_signal_is_served
        half_a_request_is_finished
        a_server_without_connections_ends;
    faults:
        a_panic_is_a_500
        a_panic_of_the_service_is_a_500
        a_panic_of_a_body_breaks_off
        a_half_closed_connection_is_answered
        a_reset_drops_the_handler
        a_reset_ends_the_upload
        garbage_harms_nobody;
    crowds:
        many_connections_one_after_another
        many_slow_handlers_at_once
        many_connections_that_say_nothing;
    curl:
        get
        head
        post
        an_upload_that_waits
        an_upload_that_does_not_wait
        an_upload_in_chunks
        a_download_in_chunks
        http10
        close
        two_requests_on_one_connection
        refused_before_the_upload;
    hyper:
        a_hundred_requests_on_one_connection
        an_echo_streams_both_ways
        a_thousand_small_frames
        head
        a_large_body_with_its_length;
}
