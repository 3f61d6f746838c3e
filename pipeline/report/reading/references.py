"""Published sources of the statistics that a report uses, each named once. Methods name their own."""

from __future__ import annotations

from pipeline.methods.sources import LIU, PARK, SAGAWA
from pipeline.records.references import Reference, arxiv, doi, printed

REFERENCES: dict[str, Reference] = {
    # training
    "sagawa": SAGAWA,
    "liu": LIU,
    "sohoni": arxiv("Sohoni et al.", 2020, "2011.12945", "No subclass left behind"),
    # attribution
    "park": PARK,
    "ilyas": arxiv(
        "Ilyas et al.", 2022, "2202.00622", "Datamodels: predicting predictions from training data"
    ),
    "pleiss": arxiv(
        "Pleiss et al.",
        2020,
        "2001.10528",
        "Identifying mislabeled data using the area under the margin ranking",
    ),
    "koh": arxiv(
        "Koh and Liang", 2017, "1703.04730", "Understanding black-box predictions via influence functions"
    ),
    "feldman": arxiv(
        "Feldman and Zhang",
        2020,
        "2008.03703",
        "What neural networks memorize and why: discovering the long tail via influence estimation",
    ),
    "charpiat": arxiv(
        "Charpiat et al.", 2019, "2102.05262", "Input similarity from the neural network perspective"
    ),
    "grosse": arxiv(
        "Grosse et al.",
        2023,
        "2308.03296",
        "Studying large language model generalization with influence functions",
    ),
    "george": arxiv(
        "George et al.",
        2018,
        "1806.03884",
        "Fast approximate natural gradient descent in a Kronecker-factored eigenbasis",
    ),
    # maps and changed images
    "selvaraju": arxiv(
        "Selvaraju et al.",
        2017,
        "1610.02391",
        "Grad-CAM: visual explanations from deep networks via gradient-based localization",
    ),
    "adebayo": arxiv("Adebayo et al.", 2018, "1810.03292", "Sanity checks for saliency maps"),
    "petsiuk": arxiv(
        "Petsiuk et al.",
        2018,
        "1806.07421",
        "RISE: randomized input sampling for explanation of black-box models",
    ),
    "wang": arxiv(
        "Wang et al.",
        2020,
        "1910.01279",
        "Score-CAM: score-weighted visual explanations for convolutional neural networks",
    ),
    "zhang": arxiv("Zhang et al.", 2016, "1608.00507", "Top-down neural attention by excitation backprop"),
    "xiao": arxiv(
        "Xiao et al.",
        2021,
        "2006.09994",
        "Noise or signal: the role of image backgrounds in object recognition",
    ),
    "moayeri": arxiv(
        "Moayeri et al.",
        2022,
        "2201.10766",
        "A comprehensive study of image classification model sensitivity to foregrounds, backgrounds, and "
        "visual attributes",
    ),
    # statistics
    "wilson": doi(
        "Wilson",
        1927,
        "10.1080/01621459.1927.10502953",
        "Probable inference, the law of succession, and statistical inference",
    ),
    "graybill": doi(
        "Graybill and Wang",
        1980,
        "10.1080/01621459.1980.10477565",
        "Confidence intervals on nonnegative linear combinations of variances",
    ),
    "sidak": doi(
        "Šidák",
        1967,
        "10.1080/01621459.1967.10482935",
        "Rectangular confidence regions for the means of multivariate normal distributions",
    ),
    "stoline": doi(
        "Stoline and Ury",
        1979,
        "10.1080/00401706.1979.10489724",
        "Tables of the studentized maximum modulus distribution and an application to multiple comparisons "
        "among means",
    ),
    "fisher_z": printed(
        "Fisher",
        1921,
        "Metron 1:3",
        "On the probable error of a coefficient of correlation deduced from a small sample",
    ),
    "efron": printed("Efron and Tibshirani", 1993, "Chapman and Hall", "An introduction to the bootstrap"),
    "owen": doi("Owen", 2007, "10.1214/07-AOAS122", "The pigeonhole bootstrap"),
    "newcombe": printed(
        "Newcombe",
        1998,
        "Statistics in Medicine 17:873",
        "Interval estimation for the difference between independent proportions",
    ),
    "guo": arxiv("Guo et al.", 2017, "1706.04599", "On calibration of modern neural networks"),
    "clopper": doi(
        "Clopper and Pearson",
        1934,
        "10.1093/biomet/26.4.404",
        "The use of confidence or fiducial limits illustrated in the case of the binomial",
    ),
    "skellam": printed(
        "Skellam",
        1948,
        "Journal of the Royal Statistical Society B 10:257",
        "A probability distribution derived from the binomial distribution by regarding the probability of "
        "success as variable between the sets of trials",
    ),
    "christiansen": printed(
        "Christiansen and Morris",
        1997,
        "Journal of the American Statistical Association 92:618",
        "Hierarchical Poisson regression modeling",
    ),
    "spearman": doi(
        "Spearman", 1910, "10.1111/j.2044-8295.1910.tb00206.x", "Correlation calculated from faulty data"
    ),
    "benjamini": doi(
        "Benjamini and Hochberg",
        1995,
        "10.1111/j.2517-6161.1995.tb02031.x",
        "Controlling the false discovery rate: a practical and powerful approach to multiple testing",
    ),
    "bergsma": doi(
        "Bergsma", 2013, "10.1016/j.jkss.2012.10.002", "A bias-correction for Cramér's V and Tschuprow's T"
    ),
    "delong": doi(
        "DeLong et al.",
        1988,
        "10.2307/2531595",
        "Comparing the areas under two or more correlated receiver operating characteristic curves",
    ),
    "cohen": doi(
        "Cohen", 1960, "10.1177/001316446002000104", "A coefficient of agreement for nominal scales"
    ),
    "xu": arxiv(
        "Xu et al.", 2020, "2002.10689", "A theory of usable information under computational constraints"
    ),
    "haberman": doi(
        "Haberman", 1973, "10.2307/2529686", "The analysis of residuals in cross-classified tables"
    ),
    "pech_pacheco": doi(
        "Pech-Pacheco et al.",
        2000,
        "10.1109/ICPR.2000.903548",
        "Diatom autofocusing in brightfield microscopy: a comparative study",
    ),
    "nadeau": doi(
        "Nadeau and Bengio", 2003, "10.1023/A:1024068626366", "Inference for the generalization error"
    ),
}
