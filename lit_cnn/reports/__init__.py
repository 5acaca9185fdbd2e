"""Reports: results of runs, compared with statistics, written as a document."""
