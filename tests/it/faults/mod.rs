//! Faults: the real program is killed, cut off, starved and lied to, and what must hold is asked of
//! the witness and the disk, never of s3plan.
//!
//! Every shot ends in the same question: after going on to the end, are S3, the archive, what was
//! deleted (each once, under its condition, served whole before) and `status` what a calm run leaves
//! ([`range::Range::finish`])? Each test says on stderr how many cases it ran; with `S3PLAN_LONG=1`
//! in the environment it runs more of them: `S3PLAN_LONG=1 cargo test --workspace --test it faults::`.
//!
//! | fault | test | what holds |
//! |---|---|---|
//! | death at every durable write, before and after every mutating request | `crash::a_crash_anywhere_…` (four worlds) | the same end; nothing restored or deleted twice |
//! | the resumption killed too, up to five times | `crash::crashes_during_the_resumption_…` | the same |
//! | SIGKILL at random instants, 2,000 objects, up to 20 in a row | `crash::random_kills_…` | the same |
//! | death between a request and its record | in the first row; the places are asserted by name | the intent is looked up |
//! | many objects (a million in the long tier), all sorts of faults at random | `large::many_objects_…` | the whole life; memory and open files are flat |
//! | a run dies with its probe object in the bucket, another plan follows | `crash::a_probe_object_…` | it is not taken for anybody's, and goes |
//! | death while planning or approving | `crash::a_crash_while_planning_…` | the same plan, byte for byte |
//! | an approval left beside a killed apply | `crash::an_approval_left_…` | it counts |
//! | a panic in a task | `crash::a_panic_anywhere_…` | exit 1, told as a bug, only a pause |
//! | power cut at any write of the state, torn sectors; during its repair, four deep; at its birth | `src/state/tests/powercut.rs` | all that was acknowledged is there, nothing by halves |
//! | power cut under all of it at every place: any mixture of what was not synced is lost | `powercut::a_power_cut_anywhere_…` (two worlds) | every row that says "on disk" has its file, whole; the same end |
//! | the power goes again while that is made good, up to four times | `powercut::power_cuts_during_the_repair_…` | the same |
//! | power cut while planning: birth of state and plan | `powercut::a_power_cut_while_planning_…` | the same plan, byte for byte |
//! | out of memory: ever less address space | `machine::too_little_memory_…` | ends by itself or by the system; only a pause |
//! | 500, 503 and 429 for a while | `network::a_storm_…` | waited out |
//! | refused, reset before the head | `network::a_link_that_is_cut_…`, `src/aws/wire_tests.rs` | goes on by itself |
//! | a body cut at 0, 1, part boundary, last byte | `network::a_body_that_breaks_off_…` | resumed; at most a part comes twice |
//! | short body, lying length, no length, wrong range, whole for a range, flipped bit, another ETag | `network::lies_about_a_body_…` | refused, asked again; nothing wrong gets a name |
//! | stall, drip, silence | `network::stalls_drips_and_silence_…` | each ends in its own time |
//! | redirects in a circle | `network::a_redirect_…` | an error, few requests |
//! | the answer to a mutation is lost | `network::an_answer_that_is_lost_…` | looked up, done once |
//! | a link cut for ten minutes | 12 seconds: `network::a_link_that_is_cut_…`; the rest is patience of 15 minutes | goes on by itself |
//! | a header of 1 MiB, 2,000 headers, error documents of 10 MiB | `src/aws/wire_tests.rs` | an error of few words that names the call |
//! | no bytes; 10,000 parts; 5 TiB | every world; `network::an_object_of_ten_thousand_parts_…`, `an_object_of_five_…` | as any other; nothing is allocated by size |
//! | one connection of many is stuck | `network::one_connection_…` | the others come in all the same |
//! | a disk full from some write on | `disk::a_disk_that_is_full_…`, `bad_input` (a real one) | exit 1; no half file under a name |
//! | no inodes; few descriptors; file size limit | `disk::a_disk_without_inodes_…`, `disk::few_descriptors_…`, `bad_input` | as above; ends |
//! | a write, sync, rename, read that fails once | `disk::a_write_…`, `a_sync_…`, `a_rename_…`, `a_read_…` | never taken for done |
//! | a file touched between proof and deletion | `disk::a_file_touched_…` | nothing is deleted |
//! | the file system of the state is full for real | `disk::a_full_file_system_…` | exit 1; goes on when there is room |
//! | a bit rots between write and read-back | `disk::a_file_that_rots_…` | found, fetched anew |
//! | the archive goes away in mid-run, an empty folder is in its place | `disk::an_archive_that_goes_away_…`; between runs `bad_input` | never begun anew, nothing is deleted |
//! | syncs and writes that take long | `disk::a_slow_disk_…` | takes longer |
//! | names folded by the file system | missing: `src/archive/tests.rs` tries the rules, no file system of that kind | |
//! | network file systems (ESTALE, locks missing) | missing | |
//! | two applies | `bad_input` | the second leaves with 6 and the holder's name |
//! | a lock file of a dead holder | `state::a_lock_file_…` | holds nobody up |
//! | one bit of the state flipped, 200 places | `state::a_flipped_bit_…` | found out, or without effect |
//! | state truncated, foreign, newer | `bad_input` | refused, left as it is |
//! | an older state put back | `state::an_older_state_…` | nothing is deleted again |
//! | plan edited, every byte sampled; mangled | `state::a_plan_with_one_byte_…`, `state::line_ends_…` | refused; line ends of Windows are fine |
//! | plain files beside the state torn | `state::torn_files_…` | nothing rests on them |
//! | audit log, state and disk disagree | `state::an_audit_log_that_disagrees_…`, `state::a_state_that_claims_more_…` | the safer reading wins |
//! | SIGINT, SIGTERM, SIGHUP; twice | `signals::one_signal_…`, `two_signals_…`, `a_run_that_only_waits_…` | 130 in seconds, says how to go on |
//! | prompts: Enter, junk, end of file, Ctrl-C, no terminal | `signals::nothing_but_yes_…`, `a_gate_opens_…`, `an_interrupt_…` | never a yes |
//! | streams closed or full | `signals::streams_that_take_nothing_…` | no panic |
//! | the machine sleeps | `signals::a_run_that_was_asleep_…` | goes on |
//! | the clock is minutes, days, years ahead, and jumps back | `machine::a_clock_that_is_wrong_…` | S3's dates rule; only a pause |
//! | S3 refuses the clock | `machine::a_refusal_for_a_wrong_clock_…` | nothing is taken for gone or unknown |
//! | umask, HOME, PATH, locale, folder that it is run from | `machine::an_odd_environment_…` | no difference |
//! | the program is replaced in mid-run | `machine::a_program_that_is_replaced_…` | goes on as the new one |
//! | texts from outside, mangled: manifest, plan, keys, XML, `Content-Range`, ETags, checksums, heads, `objects.jsonl`, policies | `tests/fuzz` | no panic; what is read prints and reads the same |

mod crash;
mod disk;
mod large;
mod machine;
mod network;
mod platter;
mod powercut;
mod range;
mod signals;
mod state;
mod trace;
