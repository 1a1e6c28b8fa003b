//! The network job.
mod netlink;
mod nft;
