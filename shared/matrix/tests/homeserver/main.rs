//! The homeserver port on real homeservers: one contract, run against Synapse always and against Conduit on request.

mod client;
mod conduit;
mod contract;
mod gateway;
mod stand;
mod synapse;

/// Each test of the contract, once for each homeserver. A test that finds no homeserver fails.
macro_rules! contract {
    ($($group:ident: $($name:ident)*;)*) => {
        mod on_synapse {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() -> anyhow::Result<()> {
                    crate::contract::$group::$name(crate::stand::Stand::synapse().await?).await
                }
            )*)*
        }

        mod on_conduit {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs a Conduit: CONDUIT_BIN=… cargo test -p messenger-matrix -- --ignored"]
                async fn $name() -> anyhow::Result<()> {
                    crate::contract::$group::$name(crate::stand::Stand::conduit().await?).await
                }
            )*)*
        }
    };
}

contract! {
    accounts:
        bootstrapping_again_changes_nothing
        an_account_is_made_once_and_follows_its_name
        an_account_that_somebody_else_made_is_left_alone
        an_account_that_we_made_is_recognised
        an_account_that_is_gone_comes_back_when_it_is_needed;
    rooms:
        a_room_is_as_the_design_says
        twenty_creations_of_one_alias_at_once_make_one_room
        a_creation_that_is_repeated_finds_the_first_room
        a_caller_who_gives_up_leaves_a_whole_room
        a_half_made_room_is_completed
        an_alias_of_somebody_else_is_an_error
        joining_again_is_no_change
        a_direct_chat_is_shown_as_one
        a_direct_chat_of_two_is_shown_to_both
        direct_chats_that_are_made_at_once_are_all_shown
        leaving_again_is_no_change
        only_an_invitation_of_this_moment_is_accepted
        a_users_rooms_are_those_that_they_are_in
        what_was_read_is_told_to_the_readers_own_clients;
    state:
        a_refusal_says_what_the_user_may_not_do
        the_maker_of_a_new_room_may_do_everything
        a_deactivated_account_is_told_as_such
        a_discarded_room_is_gone_unless_something_was_said
        a_room_whose_guest_is_refused_is_taken_back
        members_invite_where_they_may_and_nobody_encrypts_or_replaces
        power_levels_of_an_old_room_become_those_of_a_new_one
        a_room_and_its_successor_name_each_other
        a_members_page_has_what_the_visibility_of_the_room_shows_them
        invitations_of_before_the_account_are_told
        marks_of_a_room_are_read_as_they_happen;
    passwords:
        a_password_lets_in_until_it_is_another
        a_revoked_user_is_out_everywhere_but_here
        passwords_set_at_once_leave_one_that_works
        processes_at_once_set_the_passwords_of_their_users;
    messages:
        a_plain_client_reads_what_is_sent
        a_transaction_id_sends_once_also_after_a_restart
        no_id_reaches_another_endpoint
        what_the_homeserver_will_never_take_is_rejected;
    timeline:
        a_user_says_something_once_also_after_a_restart
        a_room_is_read_backwards_to_its_beginning
        a_room_is_read_on_from_a_position
        what_happened_since_a_position_comes_in_order
        a_member_sees_who_made_a_room_when_and_under_which_alias
        a_position_that_it_does_not_know_is_told
        a_bot_that_was_put_out_is_told_so_and_let_in_again
        a_waiting_reader_is_told_at_once
        an_event_that_is_nested_deeply_hides_no_other
        messages_are_read_without_what_stands_between_them
        edits_reactions_redactions_and_names_are_read;
    typing:
        plain_clients_see_who_types_here
        typing_that_is_not_renewed_ends
        a_waiting_reader_is_told_who_types_elsewhere
        nobody_types_in_a_room_that_they_are_not_in;
    receipts:
        what_is_read_elsewhere_is_told
        the_events_before_an_event_are_known
        a_message_from_the_far_future_is_read;
    ringing:
        an_urgent_notification_sounds_for_every_member
        nobody_else_makes_phones_sound
        what_a_user_changes_about_the_rule_stays;
    files:
        a_file_comes_back_as_it_was;
    failures:
        a_stopped_homeserver_is_unreachable
        a_frozen_homeserver_does_not_answer_in_time
        a_homeserver_that_dies_over_a_room_leaves_one
        a_wrong_token_is_tried_again_and_never_shown;
}
