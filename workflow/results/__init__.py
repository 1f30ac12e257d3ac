"""Results of a job and of a sweep: analyses, aggregation over replicas, figures, report."""
