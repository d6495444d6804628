//! The snapshot family: making, deleting, describing and modifying, and what time does to snapshots.

mod created;
mod deleted;
mod described;
mod modified;
mod paged;
mod retained;
