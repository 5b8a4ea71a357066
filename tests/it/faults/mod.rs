//! Faults: the real program is killed, cut off, starved and lied to, and what must hold is asked of
//! the witness and the disk, never of s3plan.
//!
//! Every shot ends in the same question: after going on to the end, are S3, the archive, what was
//! deleted (each once, under its condition, served whole before) and `status` what a calm run leaves
//! ([`range::Range::finish`])? Each test says on stderr how many cases it ran; with `S3PLAN_LONG=1`
//! in the environment it runs more of them: `S3PLAN_LONG=1 cargo test --workspace --test it faults::`.
//!
//! | | fault | test | what holds |
//! |---|---|---|---|
//! | C1 | death at every durable write, before and after every mutating request | `crash::a_crash_anywhere_…` (four worlds) | the same end; nothing restored or deleted twice |
//! | C2 | SIGKILL at random instants, 2,000 objects, up to 20 in a row; the resumption killed too | `crash::random_kills_…`, `crash::crashes_during_the_resumption_…` | the same |
//! | C3 | death between a request and its record | `crash::a_crash_anywhere_…`, the places are asserted by name | the intent is looked up |
//! | C3 | a run dies with its probe object in the bucket, another plan follows | `crash::a_probe_object_…` | it is taken for nobody's, and goes |
//! | C3 | a deletion broke off: markers, intents, files whose objects are gone | `resumption::a_bucket_counts_…` and its neighbours | its own is settled, somebody else's is left alone |
//! | C3 | an approval left beside a killed apply | `crash::an_approval_left_…` | it counts |
//! | C4 | power cut at any write of the state, torn sectors | `state/tests/powercut::a_power_cut_at_any_write_…` | all that was acknowledged is there, nothing by halves |
//! | C5 | power cut under all of it, at every place: any mixture of what was not synced is lost | `powercut::a_power_cut_anywhere_…` (two worlds) | every row that says "on disk" has its file, whole; the same end |
//! | C6 | power cut at the birth of state, plan, archive, bag | `powercut::a_power_cut_while_planning_…`, `powercut::a_power_cut_anywhere_…`, `state/tests/powercut::a_state_that_was_being_born_…` | old or new, never neither |
//! | C6 | death while planning or approving | `crash::a_crash_while_planning_…` | the same plan, byte for byte |
//! | C7 | the power goes again during the repair, up to four times | `powercut::power_cuts_during_the_repair_…`, `state/tests/powercut::a_power_cut_during_the_repair_…` | as C4 and C5 |
//! | C8 | out of memory: ever less address space | `machine::too_little_memory_…` | ends by itself or by the system; only a pause |
//! | C9 | a panic in a task | `crash::a_panic_anywhere_…` | exit 1, told as a bug, only a pause |
//! | N1 | 500, 503 and 429 for a while | `network::a_storm_…` | waited out |
//! | N2 | refused, reset before the head | `network::a_link_that_is_cut_…`, `aws/wire_tests::a_refused_connection_…` | goes on by itself |
//! | N3 | a body cut at 0, 1, part boundary, last byte | `network::a_body_that_breaks_off_…` | resumed; at most a part comes twice |
//! | N4–N6, N8 | short body, lying length, no length, wrong range, whole for a range | `network::lies_about_a_body_…` | refused, asked again; nothing wrong gets a name |
//! | N7 | a flipped bit, under every kind of proof | `network::lies_about_a_body_…`, `proof::a_flipped_bit_…`, `proof::an_object_that_never_matches_…` | found, fetched anew; else it fails by name |
//! | N9 | another ETag than the pin | `network::lies_about_a_body_…`, `aws/wire_tests::another_etag_…` | stale |
//! | N10 | stall, drip, silence | `network::stalls_drips_and_silence_…`, `aws/wire_tests::a_stall_and_a_drip_…` | each ends in its own time |
//! | N11 | redirects in a circle | `network::a_redirect_…` | an error, few requests |
//! | N12 | a header of 1 MiB, 2,000 headers, error documents of 10 MiB | `aws/wire_tests::an_immense_head_…` | an error of few words that names the call |
//! | N13 | Content-Encoding on the object | `proof::a_flipped_bit_…`, `configuration::everything_that_s3_says_…` | the bytes as they were sent; the header is kept |
//! | N14 | no bytes; 10,000 parts; 5 TiB | every world; `network::an_object_of_ten_thousand_parts_…`, `network::an_object_of_five_…` | as any other; nothing is allocated by size |
//! | N15 | a link cut for ten minutes | 12 seconds: `network::a_link_that_is_cut_…`; the rest is patience of 15 minutes | goes on by itself |
//! | N16 | one connection of many is stuck | `network::one_connection_…` | the others come in all the same |
//! | – | the answer to a mutation is lost | `network::an_answer_that_is_lost_…` | looked up, done once |
//! | L1, L2, L4, L5 | listings that repeat, contradict themselves or do not rise | `aws/listing_tests::a_repeated_token_…`, `aws/listing_tests::odd_entries_…`, `listing::a_listing_that_contradicts_…` | never planned from |
//! | L3 | a listing cut at every byte | `aws/listing_tests::a_document_cut_anywhere_…` | an error |
//! | L6 | an empty page in the middle; a bucket that is suddenly empty | `listing::an_empty_page_…`, `delete::a_bucket_that_somebody_else_emptied_…` | goes on; suspicious |
//! | L7 | elements nested without end; entities that multiply; a page without an end | `fuzz/targets::xml_guards`, `aws/listing_tests::entities_that_multiply_…`, `aws/listing_tests::a_page_without_an_end_…` | refused; cut off at 64 MiB |
//! | L8, L9 | pages of a portal; strange keys | `aws/error::a_page_for_browsers_…`, `aws/listing_tests::keys_are_decoded_…` | told as such; exact or refused |
//! | L10 | DeleteObjects answers for other keys | `delete::an_answer_is_matched_…`, `aws/wire_tests::a_batch_names_…` | every key accounted for |
//! | L11 | many objects (a million in the long tier), all sorts of faults at random | `large::many_objects_…` | the whole life; memory and open files are flat |
//! | A1, A2 | credentials expire in mid-run | `aws/wire_tests::an_expired_identity_…`, `bad_input::credentials_that_expire_…` | read anew, or parked |
//! | A3, A4, A7 | permission lost; another account; the bucket changed hands | `world::a_permission_lost_…`, `bad_input::the_wrong_account_…`, `world::a_bucket_that_changed_hands_…` | never "gone"; refused |
//! | A5, A6 | the clock is minutes, days, years ahead, and jumps back; S3 refuses it | `machine::a_clock_that_is_wrong_…`, `machine::a_refusal_for_a_wrong_clock_…` | S3's dates rule; nothing is taken for gone or unknown |
//! | W1–W11 | the world moves | `world::overwritten_between_verify_…` and its neighbours, `interleavings`, `delete`, each guard alone in `guards::what_only_a_wider_plan_…` and its neighbours, `probe::an_object_that_only_has_…` | stale, left alone and named |
//! | D1 | a disk full from some write on | `disk::a_disk_that_is_full_…` | exit 1; no half file under a name |
//! | D2 | full for real: in the archive; in the state's file system | `bad_input::a_full_disk_…`, `disk::a_full_file_system_…` | exit 1; goes on when there is room |
//! | D3 | no inodes; few descriptors; file size limit | `disk::a_disk_without_inodes_…`, `disk::few_descriptors_…`, `bad_input::a_file_too_large_…` | as above; ends |
//! | D4 | a write, sync, rename, read that fails once | `disk::a_write_…`, `disk::a_sync_…`, `disk::a_rename_…`, `disk::a_read_…` | never taken for done |
//! | D5 | a bit rots between write and read-back; a file reads wrong once; never reads back | `disk::a_file_that_rots_…`, `disk::a_file_that_reads_wrong_once_…`, `disk::a_medium_that_never_…`, `huge::a_huge_file_…` | found, fetched anew; the medium is not trusted |
//! | D6 | the archive goes away, an empty folder is in its place: in mid-run; between runs | `disk::an_archive_that_goes_away_…`, `destination::an_archive_that_is_not_mounted_…` | never begun anew, nothing is deleted |
//! | D7 | a file touched between proof and deletion | `disk::a_file_touched_…` | nothing is deleted |
//! | D8 | names folded by the file system | missing: the rules are tried in `archive/keymap/tests::awkward_keys_…`, no such file system is | |
//! | D9 | network file systems (ESTALE, locks missing) | missing | |
//! | D10 | syncs and writes that take long | `disk::a_slow_disk_…`, `disk::a_disk_slower_than_…` | takes longer; memory stays flat |
//! | D11 | the disk fills through somebody else | as D2 | |
//! | S1 | two applies | `bad_input::a_state_held_by_…`, `destination::two_writers_…` | the second leaves with 6 and the holder's name |
//! | S2 | a lock file of a dead holder | `state::a_lock_file_…` | holds nobody up |
//! | S3 | the state is lost | `adopt::a_lost_state_…` | hashing, and no download; nothing deleted without a new approval |
//! | S4 | one bit of the state flipped, 200 places; pages zeroed, swapped, cut | `state::a_flipped_bit_…`, `state/tests/damage::a_damaged_file_…` | found out, or without effect |
//! | S5, S6 | state of a newer schema; of another account | `bad_input::a_state_of_a_newer_schema_…`, `bad_input::a_state_of_another_account_…` | refused, left as it is |
//! | S7 | an older state put back | `state::an_older_state_…` | nothing is deleted again |
//! | S8, S10 | plan edited, every byte sampled; mangled | `state::a_plan_with_one_byte_…`, `state::line_ends_…` | refused; line ends of Windows are fine |
//! | S9, S11 | plan stale; other evidence approved | `bad_input::a_plan_that_the_world_has_left_…`, `bad_input::approving_other_evidence_…` | exit 4; refused |
//! | S12 | audit log, state, plain files and disk disagree, or are torn | `state::an_audit_log_that_disagrees_…`, `state::a_state_that_claims_more_…`, `state::torn_files_…` | the safer reading wins |
//! | K1, K2 | hostile keys, twins | `archive::every_key_comes_home_…`, `archive/keymap/tests::awkward_keys_…`, `fuzz/targets::key_map` | one path each, inside |
//! | K3 | links, pipes, devices planted before and during a run | `destination::what_was_planted_before_…`, `destination::what_is_planted_during_…` | nothing outside changes, nothing hangs |
//! | K4 | keys that attack terminals | `manners::no_key_steers_…`, `manifest/tests/hostile::nothing_that_a_terminal_obeys_…` | escaped in every output; the plan with them is applied |
//! | I1, I2 | hostile manifests, many globs | `manifest/tests/hostile::nesting_and_repetition_…`, `manifest/tests/hostile::ten_thousand_globs_…` | errors in bounded time |
//! | I4 | texts from outside, mangled: manifest, plan, keys, XML, `Content-Range`, ETags, checksums, heads, `objects.jsonl`, policies (I3) | `fuzz/targets::policy_documents` and its neighbours | no panic; what is read prints and reads the same |
//! | T1 | SIGINT, SIGTERM, SIGHUP; twice | `signals::one_signal_…`, `signals::two_signals_…`, `signals::a_run_that_only_waits_…` | 130, says how to go on |
//! | T2 | streams closed or full | `signals::streams_that_take_nothing_…` | no panic |
//! | T3 | prompts: Enter, junk, end of file, Ctrl-C, no terminal | `signals::nothing_but_yes_…`, `signals::a_gate_opens_…`, `signals::an_interrupt_…` | never a yes |
//! | T4 | locales, narrow and dumb terminals | `manners::other_languages_…`, `manners::colours_are_for_terminals_…` | readable |
//! | T5 | the machine sleeps | `signals::a_run_that_was_asleep_…` | goes on |
//! | T6 | umask, HOME, PATH, locale, folder that it is run from | `machine::an_odd_environment_…` | no difference |
//! | T7 | the program is replaced in mid-run | `machine::a_program_that_is_replaced_…` | goes on as the new one |

mod crash;
#[path = "../../fuzz/dice.rs"]
mod dice;
pub mod disk;
mod large;
mod machine;
mod network;
mod platter;
mod powercut;
pub mod range;
mod signals;
mod state;
mod trace;

use std::fs;
use std::path::Path;

/// A row without its test would be a promise that nobody keeps.
#[test]
fn every_test_that_the_table_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    ["src", "tests"].into_iter().for_each(|folder| read_all(&root.join(folder), &mut texts));
    let rows = include_str!("mod.rs").lines().filter(|line| line.starts_with("//! | "));
    let mut named = 0;
    for name in rows.flat_map(|row| row.split('`').skip(1).step_by(2)) {
        let Some((_, test)) = name.split_once("::") else { continue };
        let test = format!("fn {}", test.trim_end_matches('…'));
        assert!(texts.iter().any(|text| text.contains(&test)), "{name}");
        named += 1;
    }
    assert!(named > 60, "{named} tests are named");
}

/// The texts of all Rust files below a folder.
fn read_all(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, texts);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            texts.push(fs::read_to_string(&path).expect("a file of ours"));
        }
    }
}
