//! Python's sort, for lists that hold NaN.
//!
//! No comparison with NaN is true, so the result depends on the comparisons that are made. These are the ones of
//! CPython 3.11: natural runs, short ones extended by insertion, merged in pairs by galloping (`Objects/listsort.txt`
//! explains it). Without NaN, any stable sort gives the same order.

/// Character with its score.
type Pair = (char, f64);

/// Number of consecutive wins in a merge that make galloping worthwhile.
const MIN_GALLOP: usize = 7;
/// Length below which a list is a single run.
const MAX_MIN_RUN: usize = 64;

/// Sorts pairs by score, greatest first, like `sorted(pairs, key=…, reverse=True)`: the list is reversed, sorted, and
/// reversed again.
pub fn descending(pairs: impl Iterator<Item = Pair>) -> Vec<Pair> {
    let mut list: Vec<_> = pairs.collect();
    list.reverse();
    sort(&mut list);
    list.reverse();
    list
}

fn is_less(a: Pair, b: Pair) -> bool {
    a.1 < b.1
}

fn sort(list: &mut [Pair]) {
    let total = list.len();
    let min_run = min_run(total);
    let mut sorter = Sorter {
        list,
        runs: Vec::new(),
        min_gallop: MIN_GALLOP,
    };
    let mut start = 0;
    while start < total {
        let rest = &mut sorter.list[start..];
        let natural = natural_run(rest);
        let length = natural.max(min_run.min(rest.len()));
        insert(&mut rest[..length], natural);
        sorter.push(start, length);
        start += length;
    }
    sorter.merge_all();
}

/// Minimum length of runs, chosen so that their number is a power of two, or a little less.
fn min_run(total: usize) -> usize {
    let (mut length, mut rounded_up) = (total, 0);
    while length >= MAX_MIN_RUN {
        rounded_up |= length & 1;
        length >>= 1;
    }
    length + rounded_up
}

/// Length of the run at the beginning of the list. A descending run is reversed.
fn natural_run(list: &mut [Pair]) -> usize {
    let mut steps = list.windows(2).map(|pair| is_less(pair[1], pair[0]));
    let Some(falls) = steps.next() else {
        return list.len();
    };
    let length = 2 + steps.take_while(|&step| step == falls).count();
    if falls {
        list[..length].reverse();
    }
    length
}

/// Inserts each pair from `sorted` on into the pairs before it, by binary search.
fn insert(list: &mut [Pair], sorted: usize) {
    for at in sorted..list.len() {
        let (mut low, mut high) = (0, at);
        while low < high {
            let middle = low + (high - low) / 2;
            match is_less(list[at], list[middle]) {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        list[low..=at].rotate_right(1);
    }
}

/// Sorted part of the list.
struct Run {
    start: usize,
    length: usize,
    /// Depth of the boundary after the run in a balanced tree of merges.
    power: u32,
}

struct Sorter<'a> {
    list: &'a mut [Pair],
    /// Adjacent runs that wait to be merged.
    runs: Vec<Run>,
    min_gallop: usize,
}

impl Sorter<'_> {
    /// Adds the next run, after merging earlier runs that are deeper.
    fn push(&mut self, start: usize, length: usize) {
        if let Some(last) = self.runs.last() {
            let power = power(last, length, self.list.len());
            while let [.., before, _] = &self.runs[..]
                && before.power > power
            {
                self.merge_at(self.runs.len() - 2);
            }
            if let Some(last) = self.runs.last_mut() {
                last.power = power;
            }
        }
        self.runs.push(Run {
            start,
            length,
            power: 0,
        });
    }

    fn merge_all(&mut self) {
        while self.runs.len() > 1 {
            let last = self.runs.len() - 1;
            let prefers_earlier = last >= 2 && self.runs[last - 2].length < self.runs[last].length;
            self.merge_at(last - 1 - usize::from(prefers_earlier));
        }
    }

    /// Merges run `nth` with the next one.
    fn merge_at(&mut self, nth: usize) {
        let right = self.runs.remove(nth + 1);
        let left = &mut self.runs[nth];
        left.length += right.length;
        let part = &mut self.list[left.start..left.start + left.length];
        let (a, b) = part.split_at(right.start - left.start);

        // Pairs that are in their final position already are skipped.
        let skipped = gallop_right(b[0], a, 0);
        let a = &a[skipped..];
        let Some(&last) = a.last() else {
            return;
        };
        let b = &b[..gallop_left(last, b, b.len() - 1)];
        if b.is_empty() {
            return;
        }
        let length = a.len() + b.len();
        let merged = Merge::new(a, b).run(&mut self.min_gallop);
        part[skipped..skipped + length].copy_from_slice(&merged);
    }
}

/// Depth of the boundary between a run and the next: the first binary digit in which their midpoints, as fractions of
/// the list, differ.
fn power(run: &Run, next_length: usize, total: usize) -> u32 {
    let mut a = 2 * run.start + run.length;
    let mut b = a + run.length + next_length;
    let mut power = 1;
    loop {
        if a >= total {
            a -= total;
            b -= total;
        } else if b >= total {
            return power;
        }
        a *= 2;
        b *= 2;
        power += 1;
    }
}

/// Number of pairs in `list` that precede `key`, excluding equal ones.
fn gallop_left(key: Pair, list: &[Pair], hint: usize) -> usize {
    gallop(list.len(), hint, |at| is_less(list[at], key))
}

/// Number of pairs in `list` that precede `key`, including equal ones.
fn gallop_right(key: Pair, list: &[Pair], hint: usize) -> usize {
    gallop(list.len(), hint, |at| !is_less(key, list[at]))
}

/// Length of the prefix for which `goes_before` is true: steps double from `hint`, followed by binary search.
fn gallop(length: usize, hint: usize, goes_before: impl Fn(usize) -> bool) -> usize {
    let (mut before, mut step) = (0, 1);
    let (mut low, mut high) = if goes_before(hint) {
        let most = length - hint;
        while step < most && goes_before(hint + step) {
            (before, step) = (step, 2 * step + 1);
        }
        (hint + before + 1, hint + step.min(most))
    } else {
        let most = hint + 1;
        while step < most && !goes_before(hint - step) {
            (before, step) = (step, 2 * step + 1);
        }
        (most - step.min(most), hint - before)
    };
    while low < high {
        let middle = low + (high - low) / 2;
        match goes_before(middle) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}

/// Merge of two runs: from their fronts if `a` is not longer, else from their backs.
struct Merge<'a> {
    a: &'a [Pair],
    b: &'a [Pair],
    from_front: bool,
    /// Result, reversed if the runs are merged from their backs.
    merged: Vec<Pair>,
}

impl<'a> Merge<'a> {
    fn new(a: &'a [Pair], b: &'a [Pair]) -> Merge<'a> {
        Merge {
            a,
            b,
            from_front: a.len() <= b.len(),
            merged: Vec::with_capacity(a.len() + b.len()),
        }
    }

    fn run(mut self, min_gallop: &mut usize) -> Vec<Pair> {
        // The first pair's run is known.
        match self.from_front {
            true => self.take_b(1),
            false => self.take_a(1),
        }
        self.merge(min_gallop);
        // The rest of the shorter run goes last.
        let (a, b) = (self.a.len(), self.b.len());
        if self.from_front {
            self.take_b(b);
            self.take_a(a);
        } else {
            self.take_a(a);
            self.take_b(b);
            self.merged.reverse();
        }
        self.merged
    }

    fn merge(&mut self, min_gallop: &mut usize) {
        while !self.is_over() {
            // One pair at a time, until one run wins too often.
            let (mut a_wins, mut b_wins) = (0, 0);
            while a_wins.max(b_wins) < *min_gallop {
                let a_goes_last = is_less(self.next(self.b), self.next(self.a));
                if a_goes_last == self.from_front {
                    self.take_b(1);
                    (a_wins, b_wins) = (0, b_wins + 1);
                } else {
                    self.take_a(1);
                    (a_wins, b_wins) = (a_wins + 1, 0);
                }
                if self.is_over() {
                    return;
                }
            }
            // Many pairs at a time, until that no longer pays.
            *min_gallop += 1;
            loop {
                *min_gallop -= usize::from(*min_gallop > 1);
                a_wins = self.winners(self.a, |a, hint| gallop_right(self.next(self.b), a, hint));
                self.take_a(a_wins);
                if self.is_over() {
                    return;
                }
                self.take_b(1);
                if self.is_over() {
                    return;
                }
                b_wins = self.winners(self.b, |b, hint| gallop_left(self.next(self.a), b, hint));
                self.take_b(b_wins);
                if self.is_over() {
                    return;
                }
                self.take_a(1);
                if self.is_over() {
                    return;
                }
                if a_wins.max(b_wins) < MIN_GALLOP {
                    break;
                }
            }
            *min_gallop += 1;
        }
    }

    /// Returns true if a run is exhausted, or the shorter one has only its last pair.
    fn is_over(&self) -> bool {
        let (shorter, longer) = match self.from_front {
            true => (self.a, self.b),
            false => (self.b, self.a),
        };
        shorter.len() <= 1 || longer.is_empty()
    }

    /// Returns the next pair of a run.
    fn next(&self, run: &[Pair]) -> Pair {
        run[if self.from_front { 0 } else { run.len() - 1 }]
    }

    /// Number of pairs of a run that precede the other's next pair. Gallops from the end that is merged next.
    fn winners(&self, run: &[Pair], gallop: impl Fn(&[Pair], usize) -> usize) -> usize {
        match self.from_front {
            true => gallop(run, 0),
            false => run.len() - gallop(run, run.len() - 1),
        }
    }

    fn take_a(&mut self, count: usize) {
        self.a = self.take(self.a, count);
    }

    fn take_b(&mut self, count: usize) {
        self.b = self.take(self.b, count);
    }

    /// Takes the next `count` pairs of a run. Returns the rest of the run.
    fn take(&mut self, run: &'a [Pair], count: usize) -> &'a [Pair] {
        if self.from_front {
            let (taken, left) = run.split_at(count);
            self.merged.extend_from_slice(taken);
            left
        } else {
            let (left, taken) = run.split_at(run.len() - count);
            self.merged.extend(taken.iter().rev());
            left
        }
    }
}

#[cfg(test)]
mod tests {
    use super::descending;

    /// Lists of every length up to 640 that mix a few values, NaN and ordered stretches. Python 3.11's own
    /// `sorted(range(n), key=scores.__getitem__, reverse=True)` of each is condensed to one number
    /// (`fixtures/make_sorts.py` makes both the lists and the numbers).
    #[test]
    fn orders_are_pythons() {
        let expected = include_str!("../fixtures/sorts.txt");
        let mut random = Random(1);
        for (length, line) in expected.lines().enumerate() {
            let scores = random.scores(length);
            let places = ('\0'..).zip(scores);
            let digest = descending(places)
                .iter()
                .fold(0_u64, |digest, &(place, _)| {
                    digest
                        .wrapping_mul(0x100_0193)
                        .wrapping_add(place as u64 + 1)
                });
            assert_eq!(format!("{digest:016x}"), line, "length {length}");
        }
        assert_eq!(expected.lines().count(), 641);
    }

    /// Random numbers of `fixtures/make_sorts.py`.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (self.0 >> 33) % end
        }

        fn scores(&mut self, length: usize) -> Vec<f64> {
            let kinds = 1 + self.below(100);
            let nan_share = self.below(20);
            let mut scores = Vec::new();
            while scores.len() < length {
                let most = 1 << (1 + self.below(7));
                let stretch = 1 + self.below(most);
                let first = self.below(kinds) as f64;
                let step = self.below(5) as f64 - 2.0;
                for nth in 0..stretch {
                    let is_nan = self.below(20) < nan_share && self.below(3) == 0;
                    let score = first + step * nth as f64;
                    scores.push(if is_nan { f64::NAN } else { score });
                }
            }
            scores.truncate(length);
            scores
        }
    }
}
