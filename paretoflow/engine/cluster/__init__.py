"""Resources of a cluster, their allocation to worker groups, and submission of a sweep."""
