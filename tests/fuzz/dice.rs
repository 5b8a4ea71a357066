//! A seeded sequence: the same in every run. SplitMix64 (Steele, Lea, Flood 2014).

/// Holds where the sequence stands, which at the start is the seed.
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to this one, which does not come itself.
    pub fn below(&mut self, end: usize) -> usize {
        (self.throw() % end as u64) as usize
    }
}
