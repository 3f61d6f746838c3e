"""Published sources of the methods and statistics that a report uses, each named once."""

from __future__ import annotations

from pipeline.records.report import Reference


def _arxiv(authors: str, year: int, number: str, title: str) -> Reference:
    return Reference(
        authors=authors,
        year=year,
        title=title,
        identifier=f"arXiv:{number}",
        link=f"https://arxiv.org/abs/{number}",
    )


def _doi(authors: str, year: int, number: str, title: str) -> Reference:
    return Reference(
        authors=authors, year=year, title=title, identifier=f"doi:{number}", link=f"https://doi.org/{number}"
    )


def _printed(authors: str, year: int, where: str, title: str) -> Reference:
    return Reference(authors=authors, year=year, title=title, identifier=where)


REFERENCES: dict[str, Reference] = {
    # training
    "vapnik": _printed("Vapnik", 1991, "NeurIPS 4", "Principles of risk minimization for learning theory"),
    "sagawa": _arxiv(
        "Sagawa et al.", 2020, "1911.08731", "Distributionally robust neural networks for group shifts"
    ),
    "idrissi": _arxiv(
        "Idrissi et al.",
        2022,
        "2110.14503",
        "Simple data balancing achieves competitive worst-group-accuracy",
    ),
    "liu": _arxiv(
        "Liu et al.",
        2021,
        "2107.09044",
        "Just train twice: improving group robustness without training group information",
    ),
    "kirichenko": _arxiv(
        "Kirichenko et al.",
        2023,
        "2204.02937",
        "Last layer re-training is sufficient for robustness to spurious correlations",
    ),
    "jain": _arxiv(
        "Jain et al.", 2024, "2406.16846", "Improving subgroup robustness via data selection (D3M)"
    ),
    "sohoni": _arxiv("Sohoni et al.", 2020, "2011.12945", "No subclass left behind"),
    # attribution
    "park": _arxiv("Park et al.", 2023, "2303.14186", "TRAK: attributing model behavior at scale"),
    "ilyas": _arxiv(
        "Ilyas et al.", 2022, "2202.00622", "Datamodels: predicting predictions from training data"
    ),
    "pleiss": _arxiv(
        "Pleiss et al.",
        2020,
        "2001.10528",
        "Identifying mislabeled data using the area under the margin ranking",
    ),
    "koh": _arxiv(
        "Koh and Liang", 2017, "1703.04730", "Understanding black-box predictions via influence functions"
    ),
    "feldman": _arxiv(
        "Feldman and Zhang",
        2020,
        "2008.03703",
        "What neural networks memorize and why: discovering the long tail via influence estimation",
    ),
    "charpiat": _arxiv(
        "Charpiat et al.", 2019, "2102.05262", "Input similarity from the neural network perspective"
    ),
    "grosse": _arxiv(
        "Grosse et al.",
        2023,
        "2308.03296",
        "Studying large language model generalization with influence functions",
    ),
    "george": _arxiv(
        "George et al.",
        2018,
        "1806.03884",
        "Fast approximate natural gradient descent in a Kronecker-factored eigenbasis",
    ),
    # maps and changed images
    "selvaraju": _arxiv(
        "Selvaraju et al.",
        2017,
        "1610.02391",
        "Grad-CAM: visual explanations from deep networks via gradient-based localization",
    ),
    "adebayo": _arxiv("Adebayo et al.", 2018, "1810.03292", "Sanity checks for saliency maps"),
    "petsiuk": _arxiv(
        "Petsiuk et al.",
        2018,
        "1806.07421",
        "RISE: randomized input sampling for explanation of black-box models",
    ),
    "wang": _arxiv(
        "Wang et al.",
        2020,
        "1910.01279",
        "Score-CAM: score-weighted visual explanations for convolutional neural networks",
    ),
    "zhang": _arxiv("Zhang et al.", 2016, "1608.00507", "Top-down neural attention by excitation backprop"),
    "xiao": _arxiv(
        "Xiao et al.",
        2021,
        "2006.09994",
        "Noise or signal: the role of image backgrounds in object recognition",
    ),
    "moayeri": _arxiv(
        "Moayeri et al.",
        2022,
        "2201.10766",
        "A comprehensive study of image classification model sensitivity to foregrounds, backgrounds, and "
        "visual attributes",
    ),
    # statistics
    "wilson": _doi(
        "Wilson",
        1927,
        "10.1080/01621459.1927.10502953",
        "Probable inference, the law of succession, and statistical inference",
    ),
    "graybill": _doi(
        "Graybill and Wang",
        1980,
        "10.1080/01621459.1980.10477565",
        "Confidence intervals on nonnegative linear combinations of variances",
    ),
    "sidak": _doi(
        "Šidák",
        1967,
        "10.1080/01621459.1967.10482935",
        "Rectangular confidence regions for the means of multivariate normal distributions",
    ),
    "holm": _printed(
        "Holm",
        1979,
        "Scandinavian Journal of Statistics 6:65",
        "A simple sequentially rejective multiple test procedure",
    ),
    "stoline": _doi(
        "Stoline and Ury",
        1979,
        "10.1080/00401706.1979.10489724",
        "Tables of the studentized maximum modulus distribution and an application to multiple comparisons "
        "among means",
    ),
    "fisher_z": _printed(
        "Fisher",
        1921,
        "Metron 1:3",
        "On the probable error of a coefficient of correlation deduced from a small sample",
    ),
    "efron": _printed("Efron and Tibshirani", 1993, "Chapman and Hall", "An introduction to the bootstrap"),
    "owen": _doi("Owen", 2007, "10.1214/07-AOAS122", "The pigeonhole bootstrap"),
    "newcombe": _printed(
        "Newcombe",
        1998,
        "Statistics in Medicine 17:873",
        "Interval estimation for the difference between independent proportions",
    ),
    "clopper": _doi(
        "Clopper and Pearson",
        1934,
        "10.1093/biomet/26.4.404",
        "The use of confidence or fiducial limits illustrated in the case of the binomial",
    ),
    "skellam": _printed(
        "Skellam",
        1948,
        "Journal of the Royal Statistical Society B 10:257",
        "A probability distribution derived from the binomial distribution by regarding the probability of "
        "success as variable between the sets of trials",
    ),
    "christiansen": _printed(
        "Christiansen and Morris",
        1997,
        "Journal of the American Statistical Association 92:618",
        "Hierarchical Poisson regression modeling",
    ),
    "spearman": _doi(
        "Spearman", 1910, "10.1111/j.2044-8295.1910.tb00206.x", "Correlation calculated from faulty data"
    ),
    "benjamini": _doi(
        "Benjamini and Hochberg",
        1995,
        "10.1111/j.2517-6161.1995.tb02031.x",
        "Controlling the false discovery rate: a practical and powerful approach to multiple testing",
    ),
    "bergsma": _doi(
        "Bergsma", 2013, "10.1016/j.jkss.2012.10.002", "A bias-correction for Cramér's V and Tschuprow's T"
    ),
    "delong": _doi(
        "DeLong et al.",
        1988,
        "10.2307/2531595",
        "Comparing the areas under two or more correlated receiver operating characteristic curves",
    ),
    "cohen": _doi(
        "Cohen", 1960, "10.1177/001316446002000104", "A coefficient of agreement for nominal scales"
    ),
    "xu": _arxiv(
        "Xu et al.", 2020, "2002.10689", "A theory of usable information under computational constraints"
    ),
    "haberman": _doi(
        "Haberman", 1973, "10.2307/2529686", "The analysis of residuals in cross-classified tables"
    ),
    "pech_pacheco": _doi(
        "Pech-Pacheco et al.",
        2000,
        "10.1109/ICPR.2000.903548",
        "Diatom autofocusing in brightfield microscopy: a comparative study",
    ),
    "nadeau": _doi(
        "Nadeau and Bengio", 2003, "10.1023/A:1024068626366", "Inference for the generalization error"
    ),
}
