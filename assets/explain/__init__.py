"""Stage explain: reasons and changes of score in words, for those somebody will look at."""
