//! The suite: each test below runs once for each adapter, over real sockets.
//!
//! Its name is `adapter::topic::test`; `cargo test -p sinew-tests smol::` runs those of one adapter,
//! `cargo test -p sinew-tests ::framing::` those of one topic.

mod blocking;
mod bodies;
mod crowds;
mod curl;
mod deadlines;
mod disconnect;
mod events;
mod expect;
mod faults;
mod files;
mod framing;
mod hyper;
mod malformed;
mod pressure;
mod resets;
mod shutdown;
mod websocket;
mod websocket_client;
mod websocket_closing;
mod websocket_deflate;
mod websocket_faults;
mod websocket_handshake;
mod websocket_liveness;
mod websocket_messages;
mod websocket_pressure;
mod websocket_shutdown;
mod websocket_threads;

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
        trailers_are_not_fields
        trailers_are_offered_behind_the_body;
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
    files:
        every_size_arrives
        a_large_one_arrives
        ranges_arrive
        head_reads_nothing
        pipelined_answers_stay_in_order
        a_half_closed_client_gets_all_of_it
        what_is_read_here_is_not_sent_again
        a_reader_that_stops_is_dropped
        a_reset_closes_the_file
        one_that_shrinks_breaks_off
        one_that_cannot_be_read_breaks_off
        one_that_grows_ends_where_announced
        a_shutdown_finishes_it
        many_at_once
        a_fast_reader_leaves_room_for_others;
    disconnect:
        a_reset_is_told
        an_end_is_told_and_answered
        an_answer_settles_it
        a_blocking_handler_may_ask
        a_reset_behind_unread_requests_is_told
        a_reset_behind_an_unread_body_is_told
        a_reset_behind_a_dropped_body_is_told
        an_end_behind_an_unread_body_is_not_seen
        cancelled_at_an_end_if_asked_to
        a_stream_is_cancelled_at_an_end_if_asked_to
        it_finishes_if_asked_to
        it_finishes_after_a_broken_body
        it_does_not_finish_after_the_drain_timeout;
    resets:
        a_body_that_breaks_off
        a_body_that_the_shutdown_cuts
        a_reader_that_is_too_late
        an_answer_reaches_a_client_that_still_sends
        a_client_that_sends_for_ever
        a_client_that_stays_does_not_hold_up_the_shutdown;
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
    websocket_messages:
        every_size_comes_back
        fragments_are_one_message
        many_in_one_segment
        a_byte_at_a_time
        order_is_kept
        sent_right_behind_the_handshake
        opened_after_an_ordinary_request
        http_deadlines_are_over
        many_sockets_at_once;
    websocket_handshake:
        a_subprotocol_is_chosen
        foreign_pages_are_refused
        what_is_no_handshake_is_refused
        other_methods_are_refused
        the_client_may_have_ended_by_then;
    websocket_client:
        messages_come_back
        a_host_by_its_name
        a_subprotocol_is_agreed
        a_server_without_one_refuses
        a_wrong_answer_is_refused
        a_server_that_never_answers
        a_server_that_goes_without_an_answer
        nobody_listens
        the_server_closes
        the_client_closes
        a_server_that_vanishes_is_noticed;
    websocket_liveness:
        pings_are_answered_whatever_the_handler_does
        several_pings_in_one_segment
        a_silent_client_that_answers_stays
        a_client_that_vanishes_is_noticed
        a_client_that_leaves_is_noticed
        a_ping_flood_nobody_reads_ends
        the_latest_ping_is_answered_when_there_is_room;
    websocket_closing:
        the_client_closes
        a_handler_that_is_late_sees_how_it_ended
        the_server_closes
        what_may_not_be_sent_is_refused
        a_handler_that_returns_closes
        a_panic_closes_with_1011
        a_panic_before_the_first_step_closes_with_1011
        a_client_that_does_not_answer_a_close
        all_that_was_sent_goes_before_the_close
        closing_and_closed_at_once;
    websocket_faults:
        broken_rules_are_told
        codes_of_the_standard
        what_follows_an_error_is_thrown_away
        a_broken_peer_has_no_more_time_than_another;
    websocket_pressure:
        a_client_that_never_reads_stops_its_sender
        a_client_that_never_reads_is_dropped
        a_flood_nobody_receives_stops
        a_handler_that_pauses_reads_on
        a_flush_waits_without_spinning
        both_directions_at_once;
    websocket_threads:
        halves_on_two_threads
        halves_in_one_handler
        a_sender_on_many_threads
        a_slow_thread_receives_all
        a_handler_that_blocks
        a_thread_that_sends_to_nobody_waits
        blocked_threads_are_freed_by_the_end;
    websocket_shutdown:
        every_socket_is_told
        clients_that_do_not_answer_are_left
        clients_that_do_not_read_are_left
        a_handler_finishes_its_work
        a_handler_without_end_is_dropped
        a_handshake_before_the_signal_is_answered
        one_that_is_closing_already_is_not_told_again;
    websocket_deflate:
        only_where_both_sides_want_it
        an_echo_of_every_size
        the_context_is_taken_over
        the_context_is_forgotten_where_agreed
        a_bomb_is_1009
        what_is_no_deflate_is_1007;
}
