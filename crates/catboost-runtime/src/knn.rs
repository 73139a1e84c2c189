//! Nearest neighbors of an embedding, found as CatBoost finds them: through a graph of several levels (HNSW,
//! «hierarchical navigable small world»), which may miss some. To find the same points, every step has CatBoost's
//! order: links in the order of the file, distances added up in four lanes, and heaps that order equals as those of its
//! C++ library do.

use alloc::{vec, vec::Vec};

/// Number of nearest points that the search keeps (`ef`).
const BREADTH: usize = 300;

/// Points, and the graph that links them. The owner guarantees that every list has the length stated here and that
/// links lead to points of their level.
///
/// ```
/// use catboost_runtime::knn::Graph;
///
/// // Three points on a line, each linked to both others.
/// let graph = Graph {
///     neighbors: 2,
///     dimension: 1,
///     points: &[0.0, 5.0, 9.0],
///     max_links: 2,
///     level_sizes: &[3],
///     links: &[1, 2, 0, 2, 0, 1],
/// };
/// assert_eq!(graph.nearest(&[6.0]), [1, 2]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Graph<'a> {
    /// Number of nearest points to find.
    pub neighbors: usize,
    /// Length of a point.
    pub dimension: usize,
    /// The points, one after the other.
    pub points: &'a [f32],
    /// Upper bound of links per point, on any level.
    pub max_links: u32,
    /// Number of points per level. A level consists of the first points.
    pub level_sizes: &'a [u32],
    /// Links of each point of each level: `min(max_links, level size - 1)` points of the same level.
    pub links: &'a [u32],
}

/// Target of each point in the training data.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// Classes. The calcer's numbers are the counts of the nearest points per class.
    Classes(&'a [u32]),
    /// Target values. The calcer's only number is the mean of the nearest points, or 0 if there are none.
    Values(&'a [f32]),
}

impl Targets<'_> {
    /// One of the calcer's numbers, given the points that [`Graph::nearest`] found. `place` is the class; it is ignored
    /// for [`Targets::Values`].
    ///
    /// # Panics
    /// If a point has no target.
    #[must_use]
    pub fn number(&self, nearest: &[u32], place: u32) -> f32 {
        match self {
            Self::Classes(classes) => {
                let same = |&&point: &&u32| classes[point as usize] == place;
                nearest.iter().filter(same).count() as f32
            }
            Self::Values(_) if nearest.is_empty() => 0.0,
            Self::Values(values) => {
                let sum = nearest
                    .iter()
                    .fold(0.0, |sum, &point| sum + values[point as usize]);
                sum / nearest.len() as f32
            }
        }
    }
}

/// Point with its distance from the embedding.
#[derive(Clone, Copy)]
struct Met {
    distance: f32,
    point: u32,
}

impl Graph<'_> {
    /// Returns the points nearest to an embedding, the nearest first. Allocates.
    ///
    /// # Panics
    /// If the embedding is shorter than the points, or the graph is malformed.
    #[must_use]
    pub fn nearest(&self, embedding: &[f32]) -> Vec<u32> {
        if self.level_sizes.is_empty() {
            return Vec::new();
        }
        let entry = self.descend(embedding);
        let mut visited = vec![0_u64; (self.level_sizes[0] as usize).div_ceil(64)];
        let mut visit = |point: u32| {
            let (word, bit) = (&mut visited[point as usize / 64], 1 << (point % 64));
            let new = *word & bit == 0;
            *word |= bit;
            new
        };
        let mut nearest = Heap::new(|a: &Met, b: &Met| a.distance < b.distance);
        let mut candidates = Heap::new(|a: &Met, b: &Met| b.distance < a.distance);
        nearest.push(entry);
        candidates.push(entry);
        visit(entry.point);
        let base = self.level(0);
        while let Some(current) = candidates.pop() {
            if nearest.top().distance < current.distance {
                break;
            }
            for &point in base.of(current.point) {
                if !visit(point) {
                    continue;
                }
                let distance = self.distance(embedding, point);
                if nearest.len() < BREADTH || distance < nearest.top().distance {
                    candidates.push(Met { distance, point });
                    nearest.push(Met { distance, point });
                    if nearest.len() > BREADTH {
                        nearest.pop();
                    }
                }
            }
        }
        while nearest.len() > self.neighbors {
            nearest.pop();
        }
        let mut points = Vec::with_capacity(nearest.len());
        while let Some(met) = nearest.pop() {
            points.push(met.point);
        }
        points.reverse();
        points
    }

    /// Descends through the levels above the lowest, on each greedily to the nearest point.
    fn descend(&self, embedding: &[f32]) -> Met {
        let mut nearest = Met {
            distance: self.distance(embedding, 0),
            point: 0,
        };
        for level in (1..self.level_sizes.len()).rev() {
            let level = self.level(level);
            loop {
                let before = nearest.point;
                for &point in level.of(before) {
                    let distance = self.distance(embedding, point);
                    if distance < nearest.distance {
                        nearest = Met { distance, point };
                    }
                }
                if nearest.point == before {
                    break;
                }
            }
        }
        nearest
    }

    fn level(&self, level: usize) -> Level<'_> {
        let links_of = |&size: &u32| links_of(self.max_links, size);
        let from: usize = self.level_sizes[..level]
            .iter()
            .map(|size| *size as usize * links_of(size))
            .sum();
        Level {
            links: &self.links[from..],
            count: links_of(&self.level_sizes[level]),
        }
    }

    /// Squared distance: the sum of four lanes, of which the first also takes the remainder.
    fn distance(&self, embedding: &[f32], point: u32) -> f32 {
        let point = &self.points[point as usize * self.dimension..][..self.dimension];
        let (lanes, rest) = embedding[..self.dimension].as_chunks::<4>();
        let (point_lanes, point_rest) = point.as_chunks::<4>();
        let mut sums = [0.0_f32; 4];
        for (a, b) in lanes.iter().zip(point_lanes) {
            for lane in 0..4 {
                let difference = a[lane] - b[lane];
                sums[lane] += difference * difference;
            }
        }
        for (a, b) in rest.iter().zip(point_rest) {
            let difference = b - a;
            sums[0] += difference * difference;
        }
        sums[0] + sums[1] + sums[2] + sums[3]
    }
}

/// Number of links per point on a level of `size` points.
#[must_use]
pub const fn links_of(max_links: u32, size: u32) -> usize {
    let others = size.saturating_sub(1);
    if max_links < others {
        max_links as usize
    } else {
        others as usize
    }
}

/// Links of one level.
struct Level<'a> {
    links: &'a [u32],
    /// Number of links per point.
    count: usize,
}

impl Level<'_> {
    fn of(&self, point: u32) -> &[u32] {
        &self.links[point as usize * self.count..][..self.count]
    }
}

/// Binary heap with the exact steps of libc++'s `std::push_heap` and `std::pop_heap`: they alone define the order of
/// equals and the handling of NaN.
struct Heap<L> {
    items: Vec<Met>,
    /// Returns true if the first is less than the second. The greatest is on top.
    less: L,
}

impl<L: Fn(&Met, &Met) -> bool> Heap<L> {
    fn new(less: L) -> Self {
        Self {
            items: Vec::new(),
            less,
        }
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    /// # Panics
    /// If the heap is empty.
    fn top(&self) -> Met {
        self.items[0]
    }

    fn push(&mut self, item: Met) {
        self.items.push(item);
        self.sift_up(self.items.len() - 1);
    }

    fn pop(&mut self) -> Option<Met> {
        let last = self.items.len().checked_sub(1)?;
        let top = self.items[0];
        // The hole at the top sinks to a leaf; the last item fills it and sifts up from there.
        let hole = self.sink_hole();
        self.items[hole] = self.items[last];
        self.items[last] = top;
        if hole != last {
            self.sift_up(hole);
        }
        self.items.pop()
    }

    fn sift_up(&mut self, mut at: usize) {
        let item = self.items[at];
        while at > 0 {
            let parent = (at - 1) / 2;
            if !(self.less)(&self.items[parent], &item) {
                break;
            }
            self.items[at] = self.items[parent];
            at = parent;
        }
        self.items[at] = item;
    }

    /// Moves the greater child up, from the top on. Returns the index of the hole, a leaf.
    fn sink_hole(&mut self) -> usize {
        let len = self.items.len();
        let mut hole = 0;
        loop {
            let mut child = 2 * hole + 1;
            if child >= len {
                return hole;
            }
            if child + 1 < len && (self.less)(&self.items[child], &self.items[child + 1]) {
                child += 1;
            }
            self.items[hole] = self.items[child];
            hole = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(distances: &[f32]) -> Vec<Met> {
        (0..)
            .zip(distances)
            .map(|(point, &distance)| Met { distance, point })
            .collect()
    }

    #[test]
    fn the_heap_orders_equals_as_libcxx_does() {
        // libstdc++ pops [1, 2, 4, 6, 0, 3, 5].
        let mut heap = Heap::new(|a: &Met, b: &Met| a.distance < b.distance);
        for item in items(&[1.0, 2.0, 2.0, 1.0, 2.0, 0.0, 1.0]) {
            heap.push(item);
        }
        let popped: Vec<u32> = std::iter::from_fn(|| heap.pop()).map(|m| m.point).collect();
        assert_eq!(popped, [1, 4, 2, 3, 6, 0, 5]);
        assert_eq!(heap.len(), 0);
    }

    #[test]
    fn distances_are_added_up_in_four_lanes() {
        // 2^24 + 1 is no f32: which of the ones are lost says in which order they were added.
        let point = [4096.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0];
        let graph = Graph {
            neighbors: 1,
            dimension: 9,
            points: &point,
            max_links: 1,
            level_sizes: &[1],
            links: &[],
        };
        // First lane: 2^24 + 1 + 1 loses both; second lane: 2.
        assert_eq!(graph.distance(&[0.0; 9], 0), 16_777_218.0);
        assert_eq!(graph.nearest(&[0.0; 9]), [0]);
    }

    #[test]
    fn distances_are_between_the_embedding_and_the_point() {
        let points = [
            0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, //
            7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0,
        ];
        let graph = Graph {
            neighbors: 2,
            dimension: 7,
            points: &points,
            max_links: 1,
            level_sizes: &[2],
            links: &[1, 0],
        };
        let embedding = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0];
        let distances = [0, 1].map(|point| graph.distance(&embedding, point));
        assert_eq!(distances, [155.0, 36.0 + 16.0 + 4.0 + 4.0 + 16.0 + 49.0]);
        assert_eq!(graph.nearest(&embedding), [1, 0]);
    }

    /// Points on a line in one level, each with the same number of links.
    fn on_a_line<'a>(
        neighbors: usize,
        points: &'a [f32],
        size: &'a [u32; 1],
        links: &'a [u32],
    ) -> Graph<'a> {
        Graph {
            neighbors,
            dimension: 1,
            points,
            max_links: (links.len() / points.len()) as u32,
            level_sizes: size,
            links,
        }
    }

    /// [`Graph::nearest`] with lists in place of heaps: equal if no two distances are.
    fn nearest_plainly(graph: &Graph, embedding: &[f32]) -> Vec<u32> {
        let distance = |point: &u32| graph.distance(embedding, *point);
        let by_distance = |a: &u32, b: &u32| distance(a).total_cmp(&distance(b));
        let mut new = vec![true; graph.points.len()];
        new[0] = false;
        let (mut open, mut nearest) = (vec![0], vec![0]);
        while !open.is_empty() {
            let current = open.remove(0);
            if distance(&current) > distance(&nearest[nearest.len() - 1]) {
                break;
            }
            for &point in graph.level(0).of(current) {
                if !std::mem::take(&mut new[point as usize]) {
                    continue;
                }
                nearest.push(point);
                nearest.sort_by(by_distance);
                nearest.truncate(300);
                if nearest.contains(&point) {
                    open.push(point);
                    open.sort_by(by_distance);
                }
            }
        }
        nearest.truncate(graph.neighbors);
        nearest
    }

    #[test]
    fn the_three_hundred_nearest_are_followed() {
        // A tree that visits points far from each other on the line.
        let count = 1009;
        let points: Vec<f32> = (0..count)
            .map(|point| (point * 389 % count) as f32)
            .collect();
        let links: Vec<u32> = (0..count)
            .flat_map(|point| [(2 * point + 1) % count, (2 * point + 2) % count])
            .collect();
        for embedding in [-3.25, 300.25] {
            let of = |neighbors| on_a_line(neighbors, &points, &[1009], &links);
            let expected = nearest_plainly(&of(300), &[embedding]);
            assert_eq!(expected.len(), 300);
            for neighbors in [1, 5, 300] {
                let nearest = of(neighbors).nearest(&[embedding]);
                assert_eq!(nearest, expected[..neighbors], "{embedding}");
            }
        }
    }

    #[test]
    fn a_point_as_far_as_the_farthest_of_three_hundred_is_not_followed() {
        // Each point leads to the next: 300 that are 10 away, one more, and one that is very near.
        let links: Vec<u32> = (1..302).chain([0]).collect();
        let mut points = vec![10.0; 302];
        points[301] = 0.0;
        let found = |points: &[f32]| {
            let graph = on_a_line(300, points, &[302], &links);
            graph.nearest(&[0.0]).contains(&301)
        };
        assert!(!found(&points));
        points[300] = 9.5;
        assert!(found(&points));
    }

    /// The points and links of `embedding_knn_ties` in the zoo, which is compared with CatBoost.
    #[test]
    fn which_of_several_equals_are_nearest_is_a_matter_of_the_heaps() {
        let links = [1, 2, 3, 0, 4, 5, 5, 6, 6, 7, 7, 8, 8, 0, 1, 2, 2, 3];
        let points = [1.0, -1.0, 1.0, 2.0, -2.0, 1.0, -1.0, 2.0, 1.0];
        for neighbors in 1..10 {
            let nearest = on_a_line(neighbors, &points, &[9], &links).nearest(&[0.0]);
            assert_eq!(nearest, [5, 0, 6, 2, 8, 1, 7, 4, 3][..neighbors]);
        }
    }

    #[test]
    fn the_nearest_are_found_through_the_levels() {
        // Points 0, 10, 20, … on a line; each knows its neighbors; the upper level has the first two.
        let points: Vec<f32> = (0..8).map(|place| place as f32 * 10.0).collect();
        let mut links = Vec::new();
        for place in 0_u32..8 {
            links.extend([place.saturating_sub(1), (place + 1).min(7)]);
        }
        links.extend([1, 0]);
        let graph = Graph {
            neighbors: 3,
            dimension: 1,
            points: &points,
            max_links: 2,
            level_sizes: &[8, 2],
            links: &links,
        };
        assert_eq!(graph.nearest(&[41.0]), [4, 5, 3]);
        assert_eq!(graph.descend(&[41.0]).point, 1);
        assert_eq!(graph.descend(&[5.0]).point, 0, "both are as near");
        assert_eq!(graph.nearest(&[-1.0]), [0, 1, 2]);
        let classes = Targets::Classes(&[0, 0, 0, 1, 1, 2, 0, 0]);
        assert_eq!(
            [0, 1, 2].map(|class| classes.number(&[4, 5, 3], class)),
            [0.0, 2.0, 1.0]
        );
        let values = Targets::Values(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]);
        assert_eq!(values.number(&[4, 5, 3], 0), 56.0 / 3.0);
        assert_eq!(values.number(&[], 0), 0.0);
    }
}
