"""Run the artifact on windows of rows, on this machine or on a Ray cluster: the answers are the same bits."""
