"""Statistics in plain words, one to three sentences each: what this project's code does."""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    term: str
    text: str  # may name {effect}, {kappa} and {cramers_v}, the report's thresholds


TEXTS: dict[str, Text] = {
    "ladder": Text(
        "The ladder",
        "A rung says yes when the effect is at least the size that matters ({effect} for accuracy and "
        "predictions, kappa {kappa} or Cramér's V {cramers_v} for data) and its 95% interval excludes zero; "
        "insufficient evidence when it is that large but could be chance, when there are too few images, or "
        "when a part was not run; no otherwise. The last rung says partly when the gain is clear and a clear "
        "gap is left. Nothing is asked of a model that is no better than one answer for all images.",
    ),
    "intervals": Text(
        "Intervals and n",
        "Brackets hold the range that would cover the true value in 95 of 100 repetitions; n is the number "
        "of images behind it. Shares have Wilson's interval, which stays between 0 and 1.",
    ),
    "seeds": Text(
        "Intervals over images and seeds",
        "Each model is trained several times from different random starts. Test images and seeds are two "
        "sources of chance: their variances are added, with Student's t for the few seeds, and enter "
        "Wilson's formula as an effective number of images. Differences smaller than the spread between "
        "seeds mean nothing.",
    ),
    "cramers_v": Text(
        "Cramér's V",
        "How strongly two categories go together: 0 not at all, 1 completely. It is corrected for the "
        "upward bias that tables of few images have.",
    ),
    "color_only": Text(
        "Color-only classifier, kappa",
        "A class-balanced logistic regression sees nothing but average colors, of regions and of cells of a "
        "coarse grid, which neither sharpness nor noise nor compression moves. Kappa is its balanced "
        "accuracy with guessing taken out: 0 is chance, 1 is perfect. Training images are read by fits on "
        "the other folds; as folds are not independent, interval and permutation p-value are widened.",
    ),
    "boosted": Text(
        "Boosted trees",
        "A second classifier on the same color features that also sees what several colors say together. It "
        "reads training images that it was not fitted on, and the test split.",
    ),
    "v_information": Text(
        "Bits gained (V-information)",
        "How many bits about the answer the classifier gets out of color: the entropy of the classes minus "
        "its cross-entropy, every class weighing the same. Below 0 it is printed as 0.",
    ),
    "findings": Text(
        "Color findings: ω², AUROC",
        "ω² is the share of a color feature's variation that lies between classes; AUROC is the chance that "
        "an image of the class has more of the feature than an image of another. Findings are made on one "
        "half of the training images and confirmed on the other, where the AUROC has DeLong's interval.",
    ),
    "false_discovery": Text(
        "q: false discovery rate",
        "Where many features, classes or kinds of odd images are tested at once, p-values become q-values: "
        "among all results with a q below some limit, at most that share is expected to be chance.",
    ),
    "misled": Text(
        "Misled groups",
        "Groups that have clearly fewer training images than label and attribute being independent would "
        "give them (adjusted residuals of the table): in them the cue points to the wrong class.",
    ),
    "worst_group": Text(
        "Worst group",
        "The group with the lowest test accuracy among those with enough images. Because it was picked from "
        "several, its interval is wider and holds for all of them at once (Šidák).",
    ),
    "worst_corrected": Text(
        "Corrected worst group, worst if all equal, gap",
        "The lowest of many noisy numbers is low by luck alone. “Worst if all equal” is where it would land "
        "if all groups were equally good; the corrected worst group takes the luck out by a bootstrap bias "
        "correction, and the gap is the average minus that.",
    ),
    "averages": Text(
        "Adjusted average, mean of groups",
        "The first weights groups as in the training images, the second counts every group the same.",
    ),
    "shrunk": Text(
        "Accuracies that borrow strength",
        "Groups with few images are drawn towards the mean of all groups, as far as chance explains how "
        "much they differ (empirical Bayes, beta-binomial). To rank groups and to show them, not to judge.",
    ),
    "confidence": Text(
        "Confidence and calibration error",
        "Confidence is the probability that a model gives the class it names; calibrated, it is right as "
        "often. The calibration error is how far the two are apart in bins of equally many images, without "
        "the part that chance alone makes of it.",
    ),
    "optimism": Text(
        "Optimism",
        "Accuracy on validation images, where epochs were selected, minus accuracy on test images: what "
        "selecting made look better than it is. The worst groups compared are the bias-corrected ones.",
    ),
    "errors": Text(
        "Groups inferred from errors",
        "Without an attribute, each class is split into images that a briefly trained ERM model gets right "
        "and wrong, the idea behind JTT; the dataset's own groups only score the result.",
    ),
    "clusters": Text(
        "Groups inferred from clusters",
        "Without an attribute, each class is split by clustering what the ERM model's last layer sees; the "
        "dataset's own groups only score the result.",
    ),
    "paired": Text(
        "Gains",
        "Two methods are compared on the same test images. Intervals come from redrawing the images within "
        "groups (bootstrap), and are widened by Student's t for new seeds; in the group that was picked for "
        "paying most they allow for that choice (studentized maximum) and for the number of methods tried "
        "(Bonferroni).",
    ),
    "gain_p": Text(
        "p-values of gains",
        "How often a gain this large would come up, with new images and new trainings, between methods that "
        "do not differ: the level at which the interval beside it reaches zero. Fewer than three seeds say "
        "nothing about new trainings and have no p-value.",
    ),
    "multiplicity": Text(
        "Corrected for the number tried",
        "Where several methods are compared, the interval and the p-value of each gain are corrected for "
        "their number (Bonferroni); a group's interval allows for any of the groups having been picked. "
        "So the chance of even one false claim stays below the stated level.",
    ),
    "interventions": Text(
        "Changed images",
        "Test images are predicted again with one cue changed and nothing else. The flip rate is the share "
        "of predictions that change; changes of accuracy are paired, with a bootstrap over images.",
    ),
    "background_swap": Text(
        "Swapping the background",
        "The object is kept and pasted on another image's background. The control uses a background with "
        "the same cue, so that only the cue makes the difference, not the pasting.",
    ),
    "cue_exchange": Text(
        "Exchanging the cue",
        "Each image gets the cue of an image with another value, and for control that of one with the same. "
        "Counted is the shift towards the class that goes with the donor's value; it must show in both "
        "directions, and between images as they are. Which exchange carries the cue is judged by a simple "
        "classifier that sees neither classes nor predictions.",
    ),
    "foreground_sensitivity": Text(
        "Foreground sensitivity",
        "Accuracy with only the object intact against accuracy with only the background intact, divided by "
        "the largest difference that their mean allows: +1 uses the object alone, −1 the background alone.",
    ),
    "color_agreement": Text(
        "Mistakes that color would make",
        "Among the model's mistakes, the share in which a color-only classifier names the same wrong class, "
        "less the share expected when its answers are permuted among images of the same true class.",
    ),
    "gradcam": Text(
        "GradCAM",
        "A map of the regions that raised the predicted class's score, from the gradients of a late layer. "
        "It supports the changed images; on its own it proves nothing.",
    ),
    "energy": Text(
        "Heat on the object, lift",
        "The share of the map's heat that lies inside the object's mask (energy-based pointing game). Lift "
        "divides it by what the masks of other images would catch; 1 means no preference.",
    ),
    "pointing": Text(
        "Pointing game",
        "The share of maps whose highest cell lies on the object, or within one cell of it, beside the "
        "share that other images' masks would give.",
    ),
    "faithfulness": Text(
        "Faithfulness: insertion, deletion",
        "Pixels are restored in a blurred image, and blurred in the image, highest heat first. The area "
        "under the first probability curve minus that under the second is compared with random rankings and "
        "with a spot in the center.",
    ),
    "sanity": Text(
        "Randomization check",
        "Layers are redrawn at random from the last one on. If maps stay alike although the network forgot "
        "what it learned, they explain the images and not the network.",
    ),
    "cam_agreement": Text(
        "Agreement of maps",
        "Rank correlation of two methods' maps of the same images, and overlap of their hottest fifth, "
        "beside the same numbers for two seeds of the baseline.",
    ),
    "margin": Text(
        "Margin",
        "The log-odds of the right class. Attribution scores are of the margin: positive means that the "
        "training image helps the right prediction.",
    ),
    "trak": Text(
        "Attribution (TRAK)",
        "An estimate, from randomly projected gradients of independently trained models, of how a prediction "
        "would change without a training image. It ranks images to look at; it is not proof for one of them.",
    ),
    "traker": Text(
        "Attribution (traker)",
        "TRAK as its authors' library computes it. With the library's score computer scores have no unit: "
        "they rank images, and do not say by how much a prediction changes.",
    ),
    "last_layer": Text(
        "Attribution on the last layer",
        "TRAK's formula with the gradients of the last layer only: cheaper, and blind to what earlier layers "
        "learned.",
    ),
    "grad_cosine": Text(
        "Gradient cosine",
        "How alike two images pull at the network's weights: the cosine of their gradients. The simplest "
        "attribution, and a baseline for the others.",
    ),
    "ekfac": Text(
        "EK-FAC influence",
        "Influence functions: gradients are weighed by the inverse of an approximate curvature of the "
        "training loss, kept layer by layer as eigenvalue-corrected Kronecker factors.",
    ),
    "lds": Text(
        "LDS",
        "Linear datamodeling score: models are trained on random parts of the training images, and their "
        "margins are rank-correlated with what summed scores foretell for that part; 0 is no relation, 1 the "
        "same order. Its interval redraws both test images and parts.",
    ),
    "ceiling": Text(
        "Noise ceiling",
        "Two trainings on the same part differ too, so that even a perfect prediction only reaches the "
        "ceiling, estimated from how repeated trainings agree (Spearman-Brown), with an interval like the "
        "LDS's.",
    ),
    "group_check": Text(
        "Foretold against actual",
        "A training group is thinned out and the model trained again; the change of every test group's mean "
        "margin is set beside what the scores foretold. Their correlation has Fisher's interval, and is no "
        "evidence for the scores where a rule that knows groups only reaches as much: the own group helps, "
        "other classes with the same attribute value hurt. What scores add is their correlation among pairs "
        "of groups of which the rule says the same.",
    ),
    "shares": Text(
        "Over-represented groups",
        "How often each training group stands among the most harmful and most helpful images, with an exact "
        "interval for drawing without replacement, beside its share of all training images.",
    ),
    "aum": Text(
        "Area under the margin (AUM)",
        "The margin of a training image's given label against the strongest other class, averaged over "
        "training. Low where another class keeps winning: wrong labels, but rare images look the same way. "
        "Good where every group was learned; with a shortcut it depends on the training, as its list says.",
    ),
    "self_influence": Text(
        "Self-influence",
        "How much a training image's own prediction rests on itself: high for images that no other image "
        "explains, wrong labels and rare ones alike.",
    ),
    "attribution": Text(
        "Suspects by attribution",
        "Training images that harm images which trained nothing, every group counting alike: if these are "
        "mostly labelled right, an image that works against them may not be. Good for wrong labels that "
        "agree with a shortcut; misses those that fill a small group.",
    ),
    "duplicates": Text(
        "Duplicates",
        "Exact duplicates have equal pixels. Near duplicates are found by their low frequencies and then "
        "have to agree in detail in every part of the image, mirrored ones included.",
    ),
    "odd_images": Text(
        "Odd images",
        "Dark, bright, grey, empty or blurry ones, by rules that are printed with them. Blur is a low "
        "variance of the Laplacian, relative to contrast. A p-value asks whether groups have equal shares.",
    ),
}
