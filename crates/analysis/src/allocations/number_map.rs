//! Maps by small numbers of the kernel or of a stream, looked up several times for each event.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use events::NumberHasher;

pub(super) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;
