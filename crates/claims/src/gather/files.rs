//! Facts about files: one without a name, on the disk of the folder that the user chose.

use lab::plan::LatinOrders;
use results::claims::Claim;
use sys::scratch::Scratch;

use super::Gatherer;
use crate::ask::{Trouble, pick};
use crate::judge::files::{Cell, file_demand_paging, map_or_copy};
use crate::protocol::{FileCall, Pass, Task};

const FILE_BYTES: usize = 32 << 20;
const BLOCKS: usize = 24;
/// Bytes, in no order, cold, passes.
const CELLS: [(usize, bool, bool, u32); 8] = [
    (1 << 20, false, false, 1),
    (16 << 20, false, false, 1),
    (16 << 20, false, false, 8),
    (1 << 20, true, false, 1),
    (16 << 20, true, false, 1),
    (16 << 20, true, false, 8),
    (16 << 20, false, true, 1),
    (4 << 20, true, true, 1),
];

impl Gatherer<'_> {
    /// A file that is there as long as the first of the two is, and the number by which children find it.
    fn file(&self, bytes: usize) -> Result<(Scratch, i32), Trouble> {
        let folder = self.folder.display();
        let failed = |error: &dyn std::fmt::Display| {
            Trouble::Failed(format!("no file can be made in {folder}: {error} (--dir names another folder)"))
        };
        let scratch = Scratch::create(&self.folder, bytes as u64).map_err(|error| failed(&error))?;
        let number = scratch.inherit().map_err(|errno| failed(&errno))?;
        Ok((scratch, number))
    }

    pub(super) fn file_demand_paging(&mut self) -> Result<Claim, Trouble> {
        let (_scratch, file) = self.file(FILE_BYTES)?;
        let task = Task::PageFile { file, bytes: FILE_BYTES };
        Ok(file_demand_paging(&self.asker.ask(task, pick!(File))?))
    }

    pub(super) fn map_or_copy(&mut self) -> Result<Claim, Trouble> {
        let (_scratch, file) = self.file(FILE_BYTES)?;
        let windows = self.asker.ask(Task::PageFile { file, bytes: FILE_BYTES }, pick!(File))?;
        let forgets = windows.forgotten.in_core * 20 <= windows.pages;
        let left_out =
            (!forgets).then_some("the page cache does not forget files here (tmpfs?); --dir names another folder");
        let cells = CELLS.iter().filter(|(_, _, cold, _)| forgets || !cold);
        let mut cells: Vec<(Cell, [Vec<f64>; 2])> = cells
            .map(|&(bytes, random, cold, passes)| {
                let cell = Cell { bytes, random, cold, passes, log_ratios: Vec::new(), map_ns: None, read_ns: None };
                (cell, [Vec::new(), Vec::new()])
            })
            .collect();
        let mut orders = LatinOrders::new(2 * cells.len(), self.seed);
        for block in 0..BLOCKS {
            let mut times = vec![[0.0; 2]; cells.len()];
            for &arm in orders.order(block) {
                let (index, call) = (arm / 2, [FileCall::Map, FileCall::Read][arm % 2]);
                let Cell { bytes, random, cold, passes, .. } = cells[index].0;
                // Both ways go through the pages in the same order.
                let seed = self.seed ^ block as u64;
                let pass = Pass { file, bytes, call, random, cold, passes, seed };
                let sample = self.asker.ask(Task::Pass(pass), pick!(Timed))?;
                times[index][arm % 2] = sample.time_ns.max(1) as f64;
            }
            for ((cell, all), [map, read]) in cells.iter_mut().zip(times) {
                cell.log_ratios.push((map / read).ln());
                all[0].push(map);
                all[1].push(read);
            }
        }
        let cells: Vec<Cell> = cells
            .into_iter()
            .map(|(cell, [map, read])| Cell { map_ns: stats::median(&map), read_ns: stats::median(&read), ..cell })
            .collect();
        Ok(map_or_copy(&cells, left_out))
    }
}
