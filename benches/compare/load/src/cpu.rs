//! CPU time as the scheduler accounts for it.
//!
//! `/proc/PID/task/*/schedstat` is in nanoseconds. The account of a thread that runs at this moment may be
//! behind by a tick, a few milliseconds, which is why a round takes half a second or more.

use std::collections::BTreeMap;
use std::fs;
use std::io;

/// CPU time of each thread of a process, in seconds, by the number of the thread.
pub type Times = BTreeMap<u32, f64>;

/// What the threads of `pid` have used since they began. Threads that ended are not in it: servers keep theirs.
///
/// # Errors
/// If the process is gone, or the kernel keeps no such account.
pub fn times(pid: u32) -> io::Result<Times> {
    let mut times = Times::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = entry?.path();
        // A thread may end between the two.
        let Ok(text) = fs::read_to_string(path.join("schedstat")) else { continue };
        let thread = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        let nanoseconds = text.split(' ').next().and_then(|field| field.parse::<u64>().ok());
        let (Some(thread), Some(nanoseconds)) = (thread, nanoseconds) else {
            return Err(io::Error::other(format!("not understood: {}/schedstat", path.display())));
        };
        #[expect(clippy::cast_precision_loss, reason = "exact for a hundred days")]
        times.insert(thread, nanoseconds as f64 / 1e9);
    }
    Ok(times)
}

/// What each thread used between two moments, the busiest first.
pub fn between(before: &Times, after: &Times) -> Vec<f64> {
    let used = |(thread, time): (&u32, &f64)| time - before.get(thread).unwrap_or(&0.0);
    let mut used: Vec<f64> = after.iter().map(used).collect();
    used.sort_by(|a, b| b.total_cmp(a));
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_and_only_work() {
        let before = times(std::process::id()).expect("our own account");
        let begun = std::time::Instant::now();
        let mut sum = 0_u64;
        while begun.elapsed().as_millis() < 60 {
            sum = std::hint::black_box(sum).wrapping_add(1);
        }
        let used = between(&before, &times(std::process::id()).expect("our own account"));
        assert!(used[0] > 0.01, "{used:?}");
    }

    #[test]
    fn the_busiest_comes_first_and_new_threads_count_whole() {
        let before = Times::from([(1, 1.0), (2, 1.0)]);
        let after = Times::from([(1, 1.5), (2, 3.0), (3, 0.25)]);
        assert_eq!(between(&before, &after), [2.0, 0.5, 0.25]);
    }
}
