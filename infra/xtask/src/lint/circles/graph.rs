//! Finds circles in a graph of files.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The edges that leave each node.
pub(super) type Graph = BTreeMap<usize, BTreeSet<usize>>;

/// Returns one shortest circle for each group of nodes that reach one another, from its smallest node on.
pub(super) fn circles(graph: &Graph) -> Vec<Vec<usize>> {
    let mut circles: Vec<Vec<usize>> = Vec::new();
    let mut grouped: BTreeSet<usize> = BTreeSet::new();
    for node in graph.keys() {
        if grouped.contains(node) {
            continue;
        }
        if let Some(circle) = way(graph, *node, *node) {
            let group = graph
                .keys()
                .filter(|other| way(graph, *node, **other).is_some() && way(graph, **other, *node).is_some());
            grouped.extend(group);
            circles.push(circle);
        }
    }
    circles
}

/// Returns the nodes of a shortest way, without its end; `None` if there is no way.
fn way(graph: &Graph, from: usize, to: usize) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut open = VecDeque::from([from]);
    while let Some(node) = open.pop_front() {
        for next in graph.get(&node).into_iter().flatten() {
            if *next == to {
                let mut way = vec![node];
                while let Some(previous) =
                    way.last().filter(|last| **last != from).and_then(|last| before.get(last))
                {
                    way.push(*previous);
                }
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(next) && *next != from {
                before.insert(*next, node);
                open.push_back(*next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(usize, usize)]) -> Graph {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry(*from).or_default().insert(*to);
        }
        graph
    }

    #[test]
    fn a_graph_in_one_direction_has_no_circle() {
        assert_eq!(circles(&graph(&[(1, 2), (2, 3), (1, 3), (4, 3)])), [[0; 0]; 0]);
    }

    #[test]
    fn each_group_has_one_shortest_circle() {
        let edges = [(1, 2), (2, 3), (3, 1), (2, 4), (4, 5), (5, 2), (6, 7), (7, 6), (7, 1)];
        assert_eq!(circles(&graph(&edges)), [vec![1, 2, 3], vec![6, 7]]);
    }
}
