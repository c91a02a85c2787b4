//! Real programs, small: the same output, and nothing lost.

use std::path::Path;
use std::process::Command;

use super::{Manner, Recorded};
use crate::program::{Scratch, skip};

/// Runs a script of the shell that uses these programs, in a folder of its own.
fn runs(programs: &[&str], script: &str) {
    for program in programs {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            skip(&format!("no {program}"));
            return;
        }
    }
    let scratch = Scratch::new();
    let folder = scratch.file("folder");
    std::fs::create_dir(&folder).expect("a scratch directory");
    let script = format!("export HOME=$PWD LC_ALL=C\n{script}");
    let command = ["sh", "-c", &script].map(AsRef::as_ref);
    let manner = Manner { folder: Some(Path::new(&folder)), ..Manner::default() };
    let Some(recorded) = Recorded::of(&command, manner, &scratch) else { return };
    assert!(recorded.alone.status.success(), "{}", crate::program::text(&recorded.alone.stderr));
    recorded.lost_nothing();
    assert!(recorded.total("calls") > 100, "{}", recorded.report["totals"]);
    assert!(recorded.total("processes") > 1, "{}", recorded.report["totals"]);
}

#[test]
fn python_runs_the_same() {
    let job = "import json; data = [{'key %d' % i: [i] * 5} for i in range(2000)]; \
               print(len(json.dumps(json.loads(json.dumps(data)))))";
    let script = format!("PYTHONHASHSEED=0 PYTHONMALLOC=malloc python3 -c \"{job}\" && true");
    runs(&["python3"], &script);
    let job = "import multiprocessing as m\nif __name__ == '__main__':\n  \
               with m.get_context('fork').Pool(3) as p: print(sum(p.map(abs, range(-500, 0))))";
    runs(&["python3"], &format!("python3 -c \"{job}\" && true"));
}

#[test]
fn sqlite_runs_the_same() {
    let script = "sqlite3 :memory: 'create table t(a, b);
        with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000)
        insert into t select x % 97, x from c;
        select a, count(*), sum(b) from t group by a order by a limit 5;' && true";
    runs(&["sqlite3"], script);
}

#[test]
fn git_runs_the_same() {
    let script = "set -e; rm -rf r; git init -q r; cd r
        git config user.name a; git config user.email b
        seq 1000 > f; git add f
        export GIT_AUTHOR_DATE='2020-01-01 00:00:00 +0000'
        export GIT_COMMITTER_DATE='2020-01-01 00:00:00 +0000'
        git commit -qm x; git log --oneline; git gc -q; git fsck";
    runs(&["git"], script);
}

#[test]
fn gcc_runs_the_same_in_all_of_its_processes() {
    let script = "printf '#include <stdio.h>\nint main(void) { puts(\"hi\"); return 0; }\n' > x.c
        gcc -O2 x.c -o x && ./x";
    runs(&["gcc"], script);
}

#[test]
fn make_runs_the_same_in_parallel() {
    let script = "printf 'all: a b c d e f\n%%: %%.in\n\tsort $< > $@\n' > Makefile
        for i in a b c d e f; do rm -f $i; seq 3000 > $i.in; done
        make -s -j4 && cat a b c d e f | cksum";
    runs(&["make"], script);
}

#[test]
fn perl_xz_and_sort_run_the_same() {
    let perl = "my %h; $h{$_ % 1000} .= $_ for 1..50000; print length(join '', %h), qq(\\n)";
    runs(&["perl"], &format!("perl -e '{}' && true", perl.replace('\'', "'\\''")));
    runs(&["xz"], "seq 300000 | xz -T2 --block-size=200000 -c | xz -d | cksum");
    runs(&["sort"], "seq 50000 | sort -n --parallel=2 -S 1M | cksum");
}

#[test]
fn redis_runs_the_same_with_a_child_that_saves() {
    let script = "rm -f dump.rdb
        redis-server --port 0 --unixsocket $PWD/s --save '' --daemonize no --logfile log & p=$!
        while ! redis-cli -s s ping > pings 2>&1; do sleep 0.05; done
        seq 2000 | sed 's/.*/set key& value&/' | redis-cli -s s | sort | uniq -c
        redis-cli -s s bgsave
        while redis-cli -s s info persistence | grep -q bgsave_in_progress:1; do sleep 0.05; done
        redis-cli -s s info persistence | grep bgsave_status
        redis-cli -s s shutdown nosave; wait $p";
    runs(&["redis-server", "redis-cli"], script);
}
