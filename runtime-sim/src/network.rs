//! What the virtual network does to connections.

use std::time::Duration;

use sinew_proto::sim::{Cut, CutKind, Faults, Random};

/// What the network does to each connection that is made on it. The default is a perfect one.
///
/// ```
/// use sinew_sim::Network;
/// // A slow reader's network: 512 bytes fit on the way, no byte is lost.
/// let mut network = Network::rough();
/// network.faults.capacity = 512;
/// assert_eq!(network.broken_one_in, 0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Delay, pieces, stalls, bytes on the way (which is what pushes back), and breaks at a given byte.
    /// The client is end A.
    pub faults: Faults,
    /// A read returns 1 to this many bytes; 0 for as many as have arrived.
    pub max_read: usize,
    /// A write takes 1 to this many bytes; 0 for as many as have room.
    pub max_write: usize,
    /// One connection in so many breaks, by a reset or by an end in the middle; 0 for none.
    pub broken_one_in: u64,
    /// A connection that breaks does so within this many bytes of one of its directions.
    pub broken_within: u64,
    /// One call in so many that could go on has to be made again, and one task in so many is woken for
    /// nothing; 0 for none.
    pub spurious_one_in: u64,
}

impl Network {
    /// Everything arrives: late, in small pieces, some of it very late. Small buffers push back early,
    /// and wakes that mean nothing are among the others.
    pub fn rough() -> Self {
        Self {
            faults: Faults {
                delay: (Duration::ZERO, Duration::from_millis(50)),
                max_piece: 1024,
                stall_one_in: 100,
                stall: Duration::from_millis(500),
                capacity: 16 * 1024,
                ..Faults::default()
            },
            max_read: 2048,
            max_write: 2048,
            broken_one_in: 0,
            broken_within: 0,
            spurious_one_in: 16,
        }
    }

    /// The same, and one connection in three breaks within its first 2,000 bytes.
    pub fn broken() -> Self {
        Self { broken_one_in: 3, broken_within: 2_000, ..Self::rough() }
    }

    /// One of many networks, from perfect ones to those on which a byte at a time arrives. Different
    /// networks find different mistakes. None of them breaks connections.
    pub fn any(random: &mut Random) -> Self {
        let sizes = [0, 0, 1, 7, 100, 1_500];
        let mut size = || *random.choose(&sizes).unwrap_or(&0);
        let (max_piece, max_read, max_write) = (size(), size(), size());
        let capacity = *random.choose(&[1, 100, 4_096, 65_536]).unwrap_or(&4_096);
        let delay = *random.choose(&[0, 1, 50, 1_000]).unwrap_or(&0);
        Self {
            faults: Faults {
                delay: (Duration::ZERO, Duration::from_millis(delay)),
                max_piece,
                stall_one_in: *random.choose(&[0, 20, 200]).unwrap_or(&0),
                stall: random.between(Duration::ZERO, Duration::from_secs(2)),
                capacity,
                ..Faults::default()
            },
            max_read,
            max_write,
            spurious_one_in: *random.choose(&[0, 4, 50]).unwrap_or(&0),
            ..Self::default()
        }
    }

    /// The faults of one connection.
    pub(crate) fn draw(&self, random: &mut Random) -> Faults {
        let mut faults = self.faults.clone();
        if self.broken_one_in > 0 && random.chance(1, self.broken_one_in) {
            let kind = if random.chance(1, 2) { CutKind::Reset } else { CutKind::Truncate };
            let cut = Some(Cut { after: random.below(self.broken_within), kind });
            if random.chance(1, 2) {
                faults.cut_to_a = cut;
            } else {
                faults.cut_to_b = cut;
            }
        }
        faults
    }
}
